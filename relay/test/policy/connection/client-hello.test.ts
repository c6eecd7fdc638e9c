import { once } from 'node:events';
import { createServer } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { ClientHelloGate, checkClientHello } from '../../../src/policy/connection/client-hello.js';

/** The first bytes of Node's own TLS client. */
async function capture(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connected = once(server, 'connection');
  const { port } = server.address() as { port: number };
  const client = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  client.on('error', () => {});
  const [socket] = await connected;
  const [bytes] = await once(socket, 'data');
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

const u16 = (value: number) => [value >> 8, value & 255];
const vector16 = (...bytes: number[]) => [...u16(bytes.length), ...bytes];
const text = (value: string) => [...Buffer.from(value, 'latin1')];
const extension = (type: number, ...content: number[]) => [...u16(type), ...vector16(...content)];
const sni = (...names: string[]) =>
  extension(0, ...vector16(...names.flatMap(name => [0, ...vector16(...text(name))])));
/** Values that must be ignored (RFC 8701). */
const grease = [...extension(0x0a0a), ...extension(0xfafa, 0)];

interface Parts {
  extensions?: number[] | undefined;
  type?: number;
  trailing?: number[];
}

/** A ClientHello, without its records. */
function hello({ extensions = sni('a.test'), type = 1, trailing = [] }: Parts = {}): number[] {
  const start = [3, 3, ...Array<number>(32).fill(7), 1, 9, ...vector16(0x0a, 0x0a, 0x13, 1), 1, 0];
  const body = [...start, ...(extensions.length > 0 ? vector16(...extensions) : []), ...trailing];
  return [type, 0, ...u16(body.length), ...body];
}

/** Its bytes in records of at most so many. */
function records(content: number[], size = 16_384): Uint8Array {
  const parts: number[] = [];
  for (let start = 0; start < content.length; start += size) {
    const part = content.slice(start, start + size);
    parts.push(22, 3, 1, ...u16(part.length), ...part);
  }
  return Uint8Array.from(parts);
}

const check = (parts: Parts, hostname = 'a.test') => checkClientHello(records(hello(parts)), hostname);

describe('of a real client', () => {
  let named: Buffer;
  let nameless: Buffer;
  beforeAll(async () => {
    named = await capture({ servername: 'localhost' });
    nameless = await capture({});
  });

  test('for the host, and for another one', () => {
    expect(checkClientHello(named, 'localhost')).toBe('ok');
    expect(checkClientHello(named, 'other.test')).toBe('a ClientHello for another name');
    expect(checkClientHello(nameless, 'localhost')).toBe('a ClientHello for no name');
  });

  test('for an address', () => {
    expect(checkClientHello(nameless, '127.0.0.1')).toBe('ok');
    expect(checkClientHello(nameless, '::1')).toBe('ok');
    expect(checkClientHello(named, '127.0.0.1')).toBe('a ClientHello for another name');
  });

  test('each part of it asks for more, and what follows does not matter', () => {
    for (let cut = 0; cut < named.length; cut++) {
      expect(checkClientHello(named.subarray(0, cut), 'localhost')).toBe('more');
    }
    expect(checkClientHello(Buffer.concat([named, Buffer.from('GET / HTTP/1.1')]), 'localhost')).toBe('ok');
  });

  test('over many records', () => {
    const content = [...named.subarray(5)];
    for (const size of [1, 3, 100]) {
      const bytes = records(content, size);
      expect(checkClientHello(bytes, 'localhost')).toBe('ok');
      expect(checkClientHello(bytes.subarray(0, -1), 'localhost')).toBe('more');
    }
  });
});

test.each([
  ['the name', sni('a.test')],
  ['in capitals', sni('A.TEST')],
  ['with the root’s dot', sni('a.test.')],
  ['between others', [...grease, ...sni('a.test'), ...extension(43, 2, 3, 4)]],
  ['behind a large one', [...extension(51, ...Array<number>(4000).fill(1)), ...sni('a.test')]],
])('%s', (_name, extensions) => {
  expect(check({ extensions })).toBe('ok');
});

test.each([
  ['no extensions', []],
  ['others only', grease],
])('%s: for no name', (_name, extensions) => {
  expect(check({ extensions })).toBe('a ClientHello for no name');
  expect(check({ extensions }, '192.0.2.1')).toBe('ok');
});

test.each(['b.test', 'a.test.b.test', 'xa.test', 'a.test\0', 'a.test..', 'a.tes'])(
  '%j is another name',
  name => {
    expect(check({ extensions: sni(name) })).toBe('a ClientHello for another name');
  },
);

test.each([
  ['two names', sni('a.test', 'b.test')],
  ['the extension twice', [...sni('a.test'), ...sni('a.test')]],
  ['no name in the list', extension(0, 0, 0)],
  ['an empty name', sni('')],
  ['an empty extension', extension(0)],
  ['another type of name', extension(0, ...vector16(1, ...vector16(...text('a.test'))))],
  ['more than its list', extension(0, ...vector16(0, ...vector16(...text('a.test'))), 0)],
  ['a list that is cut', extension(0, 0, 9, 0, 0, 6, 97)],
  ['an extension that is cut', [...sni('a.test'), 0, 1, 0, 9]],
])('%s is malformed', (_name, extensions) => {
  expect(check({ extensions })).toBe('a malformed ClientHello');
});

test('bytes behind the extensions, and a body that is cut, are malformed', () => {
  expect(check({ trailing: [0] })).toBe('a malformed ClientHello');
  for (const length of [0, 1, 34, 40, 43, 45]) {
    const body = hello().slice(4, 4 + length);
    expect(checkClientHello(records([1, 0, ...u16(length), ...body]), 'a.test')).toBe(
      'a malformed ClientHello',
    );
  }
  expect(checkClientHello(records([1, 1, 0, 0]), 'a.test')).toBe('a malformed ClientHello');
});

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['SSH', Buffer.from('SSH-2.0-x\r\n')],
  ['one wrong byte', Uint8Array.of(0)],
  ['an alert', Uint8Array.of(21, 3, 1, 0, 2, 1, 0)],
  ['application data', Uint8Array.of(23, 3, 3, 0, 1, 0)],
  ['SSL 2', Uint8Array.of(0x80, 0x2e, 1, 3, 1)],
  ['another version', Uint8Array.of(22, 2, 0)],
  ['an empty record', Uint8Array.of(22, 3, 1, 0, 0)],
  ['a record that is too long', Uint8Array.of(22, 3, 1, 0x40, 1)],
])('%s is not TLS', (_name, bytes) => {
  expect(checkClientHello(bytes, 'a.test')).toBe('not TLS');
});

test('another message, another record between, or an empty one is not a ClientHello', () => {
  expect(check({ type: 2 })).toBe('not a ClientHello');
  const bytes = records(hello(), 20);
  for (const between of [Uint8Array.of(20, 3, 1, 0, 1, 1), Uint8Array.of(22, 3, 1, 0, 0)]) {
    const mixed = Buffer.concat([bytes.subarray(0, 25), between, bytes.subarray(25)]);
    expect(checkClientHello(mixed, 'a.test')).toBe('not a ClientHello');
  }
});

test('a gate takes it in pieces, but not in a thousand', () => {
  const bytes = records(hello(), 30);
  const gate = new ClientHelloGate('a.test');
  const verdicts = [bytes.subarray(0, 20), bytes.subarray(20, 60), bytes.subarray(60)].map(part =>
    gate.take(part),
  );
  expect(verdicts).toEqual(['more', 'more', 'ok']);
  const slow = new ClientHelloGate('a.test');
  const one = records(hello({ extensions: extension(51, ...Array<number>(200).fill(1)) }));
  const each = Array.from(one, (_, index) => slow.take(one.subarray(index, index + 1)));
  expect(each.indexOf('a malformed ClientHello')).toBe(64);
});

test('sixteen kilobytes in records of one byte are read in milliseconds', () => {
  const bytes = records(hello({ extensions: extension(51, ...Array<number>(16_000).fill(1)) }), 1);
  const startedAt = performance.now();
  expect(checkClientHello(bytes, 'a.test')).toBe('a ClientHello for no name');
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('random damage never throws, and never lets another name pass', () => {
  const bytes = records(hello({ extensions: [...grease, ...sni('a.test')] }), 30);
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let round = 0; round < 20_000; round++) {
    const damaged = bytes.slice();
    for (let count = random(4); count >= 0; count--) damaged[random(damaged.length)] = random(256);
    expect(checkClientHello(damaged, 'b.test')).not.toBe('ok');
  }
});
