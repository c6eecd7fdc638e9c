import { once } from 'node:events';
import { type AddressInfo, connect, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Doorkeeper } from '../src/admission/budgets/doorkeeper.js';
import { Front } from '../src/front/front.js';
import { type RequestHead, takeRequestHead } from '../src/front/request-head.js';
import { parseRelayOptions } from '../src/options.js';

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
