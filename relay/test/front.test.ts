import { once } from 'node:events';
import { type AddressInfo, connect, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { encodeData, encodeHello, encodeOpen } from '../../src/tunnel/wire/frames.js';
import { Doorkeeper } from '../src/admission/budgets/doorkeeper.js';
import { Front } from '../src/front/front.js';
import { type RequestHead, takeRequestHead } from '../src/front/request-head.js';
import { parseRelayOptions } from '../src/options.js';
import { clientFrame, dialRelay, startEcho, startRelay, UPGRADE, until } from './support/harness.js';
import { HELLO } from './support/test-page.js';

const GET = 'GET / HTTP/1.1\r\nHost: relay\r\n\r\n';

/** The relay's own server, and how many requests HTTP has parsed of what is sent to it on one connection. */
async function requestsIn(text: string): Promise<{ requests: number; answer: string }> {
  const settings = parseRelayOptions({});
  const doorkeeper = new Doorkeeper({ limits: settings, proxies: settings.proxies, report: () => {} });
  const front = new Front({ ...settings, doorkeeper });
  let requests = 0;
  front.http.on('request', () => {
    requests++;
  });
  await front.listen({ host: '127.0.0.1', port: 0 }, () => {});
  onTestFinished(() => front.close());
  const socket = connect((front.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => {});
  socket.on('data', chunk => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return { requests, answer };
}

test.each([
  ['as they are', GET.repeat(1000), 1, 426],
  ['that ask for an upgrade by half', GET.replace('Host', 'Upgrade: h2c\r\nHost').repeat(1000), 1, 426],
  ['behind an empty line', `\r\n${GET.repeat(1000)}`, 0, 400],
  ['behind a head that is too large', `${GET.slice(0, -2)}X: ${'x'.repeat(17_000)}\r\n\r\n`, 0, 431],
  ['with bodies', `POST${GET.slice(3, -2)}Content-Length: 1\r\n\r\nx`.repeat(500), 1, 426],
])('of a thousand requests in one read HTTP parses the first: %s', async (_name, text, count, status) => {
  const { requests, answer } = await requestsIn(text);
  expect(requests).toBe(count);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

/** The head that is taken from reads of one byte. */
function headByteByByte(text: string): RequestHead | number | undefined {
  const socket = new Socket();
  let found: RequestHead | number | undefined;
  takeRequestHead(socket, head => {
    found = head;
  });
  for (const byte of Buffer.from(text)) socket.emit('data', Buffer.of(byte));
  return found;
}

test('a head that comes byte by byte is read at a cost that grows with its length alone', () => {
  const head = (bytes: number) => `GET / HTTP/1.1\r\nX: ${'x'.repeat(bytes - 23)}\r\n\r\n`;
  expect(headByteByByte(head(16_384))).toMatchObject({
    head: Buffer.from(head(16_384)),
    rest: Buffer.alloc(0),
  });
  expect(headByteByByte(head(16_385))).toBe(431);
  const costMs = (bytes: number, count: number) => {
    const startedAt = process.cpuUsage();
    for (let turn = 0; turn < count; turn++) headByteByByte(head(bytes));
    return process.cpuUsage(startedAt).user;
  };
  const least = (bytes: number, count: number) =>
    Math.min(...Array.from({ length: 5 }, () => costMs(bytes, count)));
  // The same number of bytes in all.
  expect(least(16_384, 2)).toBeLessThan(2 * least(1024, 32));
});

test('wherever TCP cuts what a page sends first, behind a proxy as well, all of it arrives', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], trustedProxies: ['127.0.0.1'], proxyProtocol: true },
    ...{ newConnectionsPerSecond: 0, newStreamsPerSecondPerAddress: 0 },
  });
  const hello = clientFrame('binary', encodeHello(HELLO));
  const open = clientFrame('binary', encodeOpen({ stream: 1, hostname: '127.0.0.1', port: echo.port }));
  const bytes = Buffer.concat([
    Buffer.from(`PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${UPGRADE}`),
    ...[hello, open, clientFrame('binary', encodeData(1, Buffer.from('arrived')))],
  ]);
  const arrives = async (cut: number) => {
    const socket = await dialRelay(relay);
    let received = '';
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
    });
    socket.write(bytes.subarray(0, cut));
    await new Promise(resolve => setImmediate(resolve));
    socket.write(bytes.subarray(cut));
    await until(() => received.includes('arrived'));
    socket.destroy();
  };
  for (let first = 0; first < bytes.length; first += 20)
    await Promise.all(Array.from({ length: 20 }, (_, index) => arrives(first + index)));
});
