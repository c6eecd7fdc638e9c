import { once } from 'node:events';
import { expect, test } from 'vitest';
import { TrustedProxies } from '../src/admission/addresses/client-address.js';
import { parseProxyHeader } from '../src/admission/addresses/proxy-protocol.js';
import type { RelayOptions } from '../src/index.js';
import { dialRelay, startRelay, UPGRADE, until } from './support/harness.js';

const proxies = new TrustedProxies(['10.0.0.0/8', '127.0.0.1', 'fd00::/8']);

test.each([
  ['no header', '10.0.0.1', undefined, '10.0.0.1'],
  ['the header of somebody else', '192.0.2.1', '198.51.100.1', '192.0.2.1'],
  ['a proxy', '10.0.0.1', '198.51.100.1', '198.51.100.1'],
  ['a page that puts words into it', '10.0.0.1', '203.0.113.9, 198.51.100.1', '198.51.100.1'],
  ['two proxies', '10.0.0.1', '203.0.113.9,198.51.100.1 , 10.2.3.4', '198.51.100.1'],
  ['a page that names a proxy', '10.0.0.1', '10.9.9.9, 198.51.100.1, 10.2.3.4', '198.51.100.1'],
  ['proxies alone', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['a port', '10.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
  ['IPv6', 'fd00::1', '2001:DB8:0:0::1', '2001:db8::1'],
  ['IPv6 in brackets, with a port', '10.0.0.1', '[2001:db8::1]:443', '2001:db8::1'],
  ['an IPv4 address in IPv6', '10.0.0.1', '::ffff:198.51.100.1', '198.51.100.1'],
  ['junk in front of what counts', '10.0.0.1', 'junk, 198.51.100.1', '198.51.100.1'],
])('%s', (_name, peer, header, client) => {
  expect(proxies.clientOf(peer, header)).toBe(client);
});

test.each([
  '',
  'unknown',
  '198.51.100.1,',
  '1.2.3',
  'junk',
  '198.51.100.1 10.0.0.1',
  '[::1',
  'junk, 10.0.0.2',
  '_x:1',
])('a trusted proxy’s header %j cannot be read', header => {
  expect(proxies.clientOf('10.0.0.1', header)).toBeUndefined();
});

test.each(['', '10.0.0.0/33', '10.0.0.0/x', 'proxy.test', '10.0.0.0/8/8', '*', '10.0.0.1/8'])(
  'the proxy %j is a TypeError',
  block => {
    expect(() => new TrustedProxies([block])).toThrow(TypeError);
  },
);

const v1 = (line: string) => Buffer.from(`${line}\r\nGET`);
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function v2({
  command = 0x21,
  family = 0x11,
  addresses = [198, 51, 100, 1, 127, 0, 0, 1, 0, 1, 0, 2],
} = {}): Buffer {
  const length = [addresses.length >> 8, addresses.length & 255];
  return Buffer.concat([
    signature,
    Buffer.from([command, family, ...length, ...addresses]),
    Buffer.from('GET'),
  ]);
}

const ipv6Addresses = [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1, ...Array<number>(20).fill(0)];

test.each([
  ['1, IPv4', v1('PROXY TCP4 198.51.100.1 127.0.0.1 1 2'), '198.51.100.1'],
  ['1, IPv6', v1('PROXY TCP6 2001:db8::1 ::1 65535 0'), '2001:db8::1'],
  ['1, unknown', v1('PROXY UNKNOWN'), undefined],
  ['1, unknown with addresses', v1('PROXY UNKNOWN ffff::1 ffff::2 65535 65535'), undefined],
  ['2, IPv4', v2(), '198.51.100.1'],
  ['2, IPv6', v2({ family: 0x21, addresses: ipv6Addresses }), '2001:db8::1'],
  ['2, with extensions', v2({ addresses: [198, 51, 100, 1, ...Array<number>(300).fill(7)] }), '198.51.100.1'],
  ['2, local', v2({ command: 0x20 }), undefined],
  ['2, local without addresses', v2({ command: 0x20, family: 0, addresses: [] }), undefined],
  ['2, a UNIX socket', v2({ family: 0x31, addresses: Array<number>(216).fill(0) }), undefined],
])('a PROXY header of version %s', (_name, bytes, address) => {
  expect(parseProxyHeader(bytes)).toEqual({ length: bytes.length - 3, address });
  for (let cut = 0; cut < bytes.length - 3; cut++)
    expect(parseProxyHeader(bytes.subarray(0, cut))).toBe('more');
});

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['HTTP that begins alike', Buffer.from('PRI * HTTP/2.0\r\n')],
  ['an endless line', Buffer.from(`PROXY ${'x'.repeat(200)}`)],
  ['a long line', v1(`PROXY UNKNOWN ${'x'.repeat(200)}`)],
  ['a name', v1('PROXY TCP4 localhost 127.0.0.1 1 2')],
  ['another family', v1('PROXY TCP4 ::1 ::1 1 2')],
  ['an address alone', v1('PROXY TCP4 198.51.100.1')],
  ['a port that is none', v1('PROXY TCP4 198.51.100.1 127.0.0.1 1 65536')],
  ['UDP', v1('PROXY UDP4 198.51.100.1 127.0.0.1 1 2')],
  ['another version', v2({ command: 0x31 })],
  ['another command', v2({ command: 0x22 })],
  ['a family that is none', v2({ family: 0x41 })],
  ['addresses that are cut', v2({ addresses: [198, 51, 100] })],
  ['more than 4,096 bytes', v2({ addresses: Array<number>(4081).fill(0) })],
])('%s is not a PROXY header', (_name, bytes) => {
  expect(() => parseProxyHeader(bytes)).toThrow(TypeError);
});

/** The address that the relay logs, or the status of its answer. */
async function addressOf(
  options: RelayOptions,
  { head = Buffer.alloc(0) as Buffer, header = '', from = '127.0.0.1' } = {},
) {
  const { relay, events } = await startRelay(options);
  const socket = await dialRelay(relay, from);
  const request = Buffer.concat([head, Buffer.from(UPGRADE.replace('\r\nHost', `${header}\r\nHost`))]);
  const answered = Promise.race([once(socket, 'data'), once(socket, 'close')]);
  // In two pieces, of which the first ends within the header.
  socket.write(request.subarray(0, 20));
  await new Promise(resolve => setTimeout(resolve, 10));
  socket.write(request.subarray(20));
  const answer = await answered;
  const status = Number(String(answer[0]).split(' ')[1]);
  if (status !== 101) return { status: status || 'closed', events };
  await until(() => events.some(({ type }) => type === 'opened'));
  const opened = events.find(event => event.type === 'opened');
  return { status, remoteAddress: opened?.type === 'opened' ? opened.remoteAddress : '', events };
}

const forwarded = '\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.1';
const trusted = { trustedProxies: ['127.0.0.1'] };

test('X-Forwarded-For counts from a trusted proxy alone, the last of several headers first', async () => {
  expect((await addressOf({}, { header: forwarded })).remoteAddress).toBe('127.0.0.1');
  expect((await addressOf(trusted, { header: forwarded })).remoteAddress).toBe('198.51.100.1');
  expect((await addressOf(trusted, { header: forwarded, from: '127.0.0.2' })).remoteAddress).toBe(
    '127.0.0.2',
  );
  expect((await addressOf(trusted)).remoteAddress).toBe('127.0.0.1');
  const { status, events } = await addressOf(trusted, { header: '\r\nX-Forwarded-For: a, b' });
  expect(status).toBe(400);
  await until(() => events.some(event => event.type === 'dropped' && event.limit === 'proxy-header'));
});

const withHeaders = { ...trusted, proxyProtocol: true };
const line = Buffer.from('PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n');

test('a PROXY header counts from a trusted proxy alone, which has to send one', async () => {
  expect((await addressOf(withHeaders, { head: line })).remoteAddress).toBe('198.51.100.1');
  expect((await addressOf(withHeaders, { head: v2().subarray(0, -3) })).remoteAddress).toBe('198.51.100.1');
  expect((await addressOf(withHeaders)).status).toBe('closed');
  expect((await addressOf(withHeaders, { from: '127.0.0.2' })).remoteAddress).toBe('127.0.0.2');
  expect((await addressOf(withHeaders, { head: line, from: '127.0.0.2' })).status).toBe(400);
  expect((await addressOf(withHeaders, { head: line, header: forwarded })).remoteAddress).toBe(
    '198.51.100.1',
  );
  const chain = Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n');
  expect((await addressOf(withHeaders, { head: chain, header: forwarded })).remoteAddress).toBe(
    '198.51.100.1',
  );
  expect((await addressOf(withHeaders, { head: v2({ command: 0x20 }).subarray(0, -3) })).remoteAddress).toBe(
    '127.0.0.1',
  );
});

test('half a PROXY header is given up', async () => {
  const { relay } = await startRelay({ ...withHeaders, requestTimeoutMs: 200 });
  const socket = await dialRelay(relay);
  socket.write(line.subarray(0, 10));
  await once(socket, 'close');
});

test('limits count the address that the proxy names', async () => {
  const { relay } = await startRelay({ ...trusted, maxUnprovenPerAddress: 2, newConnectionsPerSecond: 0 });
  const open = async (address: string) => {
    const socket = await dialRelay(relay);
    socket.write(UPGRADE.replace('\r\nHost', `\r\nX-Forwarded-For: ${address}\r\nHost`));
    await once(socket, 'data');
    return socket;
  };
  const other = await open('198.51.100.2');
  const sockets = [await open('198.51.100.1'), await open('198.51.100.1'), await open('198.51.100.1')];
  await until(() => sockets[0]?.closed === true);
  expect([other, ...sockets].map(({ closed }) => closed)).toEqual([false, true, false, false]);
});
