import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeCredit, encodeData, encodeEnd, encodeHello } from '../../src/tunnel/frames.js';
import type { Relay } from '../src/index.js';
import {
  connect,
  dialRelay,
  ORIGIN,
  startEcho,
  startRelay,
  startTarget,
  startUnanswering,
  tunnelTo,
  UPGRADE,
  until,
} from './support/harness.js';

const hello = (port: number, windowBytes = 65536) =>
  encodeHello({ version: 1, windowBytes, hostname: '127.0.0.1', port, token: '' });

async function openRaw(relay: Relay): Promise<WebSocket> {
  const webSocket = new WebSocket(relay.url, 'browser-mtls.v1', { origin: ORIGIN });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  return webSocket;
}

async function closeCodeAfter(relay: Relay, messages: (Uint8Array | string)[]): Promise<number> {
  const webSocket = await openRaw(relay);
  for (const message of messages) webSocket.send(message);
  const [code] = await once(webSocket, 'close');
  return code;
}

/** A small generator with a seed, so that a failure can be repeated. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function closeCodesAfter(relay: Relay, violations: Record<string, (Uint8Array | string)[]>) {
  const codes: Record<string, number> = {};
  for (const [name, messages] of Object.entries(violations))
    codes[name] = await closeCodeAfter(relay, messages);
  return codes;
}

const each = (violations: object, code: number) =>
  Object.fromEntries(Object.keys(violations).map(name => [name, code]));

test('each violation of the format in place of HELLO ends the connection without a close code', async () => {
  const { relay, events } = await startRelay({ allow: ['127.0.0.1:1'] });
  const start = hello(1);
  const violations: Record<string, (Uint8Array | string)[]> = {
    text: ['hello'],
    empty: [new Uint8Array()],
    'unknown type': [Uint8Array.of(9)],
    'DATA before HELLO': [encodeData(Uint8Array.of(1))],
    'END before HELLO': [encodeEnd()],
    'CREDIT before HELLO': [encodeCredit(1)],
    'PING before HELLO': [Uint8Array.of(6)],
    'cut HELLO': [start.subarray(0, -1)],
    'HELLO and more': [Uint8Array.of(...start, 0)],
    'window too small': [hello(1, 65535)],
    'window too large': [hello(1, 2 ** 24 + 1)],
    'port 0': [hello(0)],
    'another version': [start.map((byte, index) => (index === 1 ? 2 : byte))],
  };
  expect(await closeCodesAfter(relay, violations)).toEqual(each(violations, 1006));
  const closed = events.filter(event => event.type === 'closed');
  expect(closed.map(({ code }) => code)).toEqual(Object.keys(violations).map(() => 4001));
});

test('each violation of the format after HELLO ends the connection with 4001', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], windowBytes: 65536 });
  const start = hello(echo.port);
  const violations: Record<string, (Uint8Array | string)[]> = {
    text: [start, 'hello'],
    empty: [start, new Uint8Array()],
    'unknown type': [start, Uint8Array.of(9)],
    'ACCEPT from a page': [start, Uint8Array.of(2, 0, 1, 0, 0)],
    'second HELLO': [start, start],
    'empty DATA': [start, Uint8Array.of(3)],
    'DATA after END': [start, encodeEnd(), encodeData(Uint8Array.of(1))],
    'second END': [start, encodeEnd(), encodeEnd()],
    'CREDIT for nothing': [start, encodeCredit(1)],
    'CREDIT of nothing': [start, encodeCredit(0)],
    'PING and more': [start, Uint8Array.of(6, 0)],
    'PONG from a page': [start, Uint8Array.of(7)],
    'cut CREDIT': [start, Uint8Array.of(4, 0, 0)],
  };
  expect(await closeCodesAfter(relay, violations)).toEqual(each(violations, 4001));
});

test('more DATA than the initial credit ends the connection with 4001', async () => {
  const port = await startUnanswering();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${port}`] });
  const full = encodeData(new Uint8Array(65536));
  expect(await closeCodeAfter(relay, [hello(port), full, encodeData(Uint8Array.of(1))])).toBe(4001);
});

test('a message larger than the format allows ends the connection with 1009', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  expect(await closeCodeAfter(relay, [hello(echo.port), new Uint8Array(65538)])).toBe(1009);
});

test('a page that overruns its window is cut off, and the target does not get the rest', async () => {
  const target = await startTarget(socket => {
    socket.pause();
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], windowBytes: 65536 });
  const webSocket = await openRaw(relay);
  webSocket.send(hello(target.port));
  await once(webSocket, 'message');
  for (let sent = 0; sent < 1000; sent++) webSocket.send(encodeData(new Uint8Array(65536)));
  const [code] = await once(webSocket, 'close');
  expect(code).toBe(4001);
});

test('random messages, cuts and vanishing pages do not stop it', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], maxConnectionsPerAddress: 1000 });
  const random = createRandom(42);
  const randomBytes = (length: number) => Uint8Array.from({ length }, () => random(256));
  const randomMessage = (): Uint8Array | string => {
    switch (random(8)) {
      case 0:
        return hello(echo.port);
      case 1:
        return encodeData(randomBytes(1 + random(5000)));
      case 2:
        return encodeCredit(random(70_000));
      case 3:
        return encodeEnd();
      case 4:
        return 'text';
      case 5:
        return Uint8Array.of(random(6), ...randomBytes(random(40)));
      case 6:
        return hello(echo.port).map(byte => (random(12) === 0 ? random(256) : byte));
      default:
        return randomBytes(random(300));
    }
  };
  const one = async () => {
    const webSocket = await openRaw(relay);
    if (random(3) > 0) webSocket.send(hello(echo.port));
    for (let count = random(12); count > 0; count--) webSocket.send(randomMessage());
    if (random(2) === 0) webSocket.terminate();
    else webSocket.close();
  };
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 20 }, one));
  await until(() => relay.connections === 0);

  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1, 2, 3));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2, 3));
});

test('random bytes below the WebSocket, before and after the upgrade, do not stop it', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`] });
  const random = createRandom(7);
  const one = async (index: number) => {
    const socket = await dialRelay(relay);
    const garbage = Buffer.from(Array.from({ length: random(2000) }, () => random(256)));
    const head =
      index % 3 === 0 ? '' : UPGRADE.slice(0, index % 3 === 1 ? undefined : random(UPGRADE.length));
    socket.write(Buffer.concat([Buffer.from(head), garbage]));
    if (random(2) === 0) socket.resetAndDestroy();
    else socket.end();
  };
  await Promise.all(Array.from({ length: 150 }, (_, index) => one(index)));

  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toHaveLength(1);
});

test('PING is answered, while the target is connected to as well, and a flood of them harms nobody', async () => {
  const echo = await startEcho();
  const slow = await startUnanswering();
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'] });
  for (const port of [echo.port, slow]) {
    const webSocket = await openRaw(relay);
    const types: number[] = [];
    webSocket.on('message', data => types.push((data as Buffer)[0] ?? 0));
    webSocket.send(hello(port));
    webSocket.send(Uint8Array.of(6));
    await until(() => types.includes(7));
    for (let count = 0; count < 20_000; count++) webSocket.send(Uint8Array.of(6));
    const { length } = types;
    await until(() => types.length > length);
    expect(types.includes(2)).toBe(port === echo.port);
    expect(webSocket.readyState).toBe(WebSocket.OPEN);
    webSocket.close();
  }
});
