import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  decodeFrame,
  encodeAccept,
  encodeCredit,
  encodeData,
  encodeEnd,
  encodePong,
  type Frame,
} from '../../../src/tunnel/frames.js';
import { createWebSocketTunnel, type WebSocketTunnelOptions } from '../../../src/tunnel/websocket-tunnel.js';

const ADDRESS = { hostname: 'target.test', port: 443 };
const platform = { WebSocket: WebSocket as unknown as typeof globalThis.WebSocket };

/** A relay that does what the test says, right or wrong. */
async function startScriptedRelay(onHello: (webSocket: WebSocket) => void) {
  const frames: Frame[] = [];
  const closeCodes: number[] = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', webSocket => {
    webSocket.on('close', code => closeCodes.push(code));
    webSocket.on('message', data => {
      const frame = decodeFrame(data as Buffer);
      if (!frame) throw new Error('the client sent a malformed message');
      frames.push(frame);
      if (frame.type === 'hello') onHello(webSocket);
    });
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, frames, closeCodes };
}

async function openClient(url: string, options: WebSocketTunnelOptions = {}) {
  const stream = await createWebSocketTunnel(url, { ...platform, ...options }).connect(ADDRESS);
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  return { stream, writer, reader: stream.readable.getReader() };
}

const sleep = (timeMs: number) => new Promise(resolve => setTimeout(resolve, timeMs));
const dataBytes = (frames: Frame[]) =>
  frames.reduce((sum, frame) => sum + (frame.type === 'data' ? frame.payload.length : 0), 0);

test('the first bytes follow the hello, in messages of at most 64 KiB and no further than the credit', async () => {
  const sockets: WebSocket[] = [];
  const { url, frames } = await startScriptedRelay(webSocket => sockets.push(webSocket));
  const { writer } = await openClient(url, { token: 'T', windowBytes: 131072 });
  const write = writer.write(new Uint8Array(200_000));
  await sleep(100);
  expect(frames[0]).toEqual({ type: 'hello', version: 1, windowBytes: 131072, ...ADDRESS, token: 'T' });
  expect(dataBytes(frames)).toBe(65536);
  // The smallest window there is brings no credit beyond the initial one.
  sockets[0]?.send(encodeAccept(65536));
  await sleep(100);
  expect(dataBytes(frames)).toBe(65536);
  sockets[0]?.send(encodeCredit(65536));
  await sleep(100);
  expect(dataBytes(frames)).toBe(131072);
  sockets[0]?.send(encodeCredit(65536));
  await sleep(100);
  sockets[0]?.send(encodeCredit(65536));
  await write;
  await writer.close();
  await sleep(50);
  expect(dataBytes(frames)).toBe(200_000);
  expect(frames.at(-1)).toEqual({ type: 'end' });
});

test('credit is granted for what the consumer took, not for what arrived', async () => {
  const { url, frames } = await startScriptedRelay(webSocket => {
    webSocket.send(encodeAccept(65536));
    for (let count = 0; count < 4; count++) webSocket.send(encodeData(new Uint8Array(16384).fill(count)));
  });
  const { reader } = await openClient(url, { windowBytes: 65536 });
  await sleep(100);
  expect(frames).toHaveLength(1);
  expect((await reader.read()).value?.[0]).toBe(0);
  await sleep(50);
  expect(frames[1]).toEqual({ type: 'credit', bytes: 16384 });
});

const faults: [string, (Uint8Array | string)[]][] = [
  ['text', [encodeAccept(65536), 'text']],
  ['an unknown type', [Uint8Array.of(9)]],
  ['a second ACCEPT', [encodeAccept(65536), encodeAccept(65536)]],
  ['a window too small', [encodeAccept(1)]],
  ['DATA before ACCEPT', [encodeData(Uint8Array.of(1))]],
  ['END before ACCEPT', [encodeEnd()]],
  ['DATA after END', [encodeAccept(65536), encodeEnd(), encodeData(Uint8Array.of(1))]],
  ['CREDIT for nothing', [encodeAccept(65536), encodeCredit(1)]],
  [
    'more DATA than granted',
    [encodeAccept(65536), encodeData(new Uint8Array(65536)), encodeData(Uint8Array.of(1))],
  ],
];

test.each(faults)('%s ends the connection as a fault of the relay', async (name, messages) => {
  const { url, closeCodes } = await startScriptedRelay(webSocket => {
    for (const message of messages) webSocket.send(message);
  });
  const { writer, reader } = await openClient(url, { windowBytes: 65536 });
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_PROTOCOL' });
  if (name !== 'DATA after END') {
    const drain = async () => {
      while (!(await reader.read()).done);
    };
    await expect(drain()).rejects.toMatchObject({ code: 'ERR_TUNNEL_PROTOCOL' });
  }
  await sleep(50);
  expect(closeCodes).toEqual([4001]);
});

test('a lost WebSocket is told apart from an end', async () => {
  const { url } = await startScriptedRelay(webSocket => {
    webSocket.send(encodeAccept(65536));
    webSocket.send(encodeData(Uint8Array.of(1)), () => webSocket.terminate());
  });
  const { reader } = await openClient(url);
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  await expect(reader.read()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_CLOSED',
    message: expect.stringContaining('the tunnel broke'),
  });
});

test('a relay that closes normally before both sides ended has broken the tunnel', async () => {
  const { url } = await startScriptedRelay(webSocket => webSocket.close(1000));
  const { reader } = await openClient(url);
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
});

test('an end stays clean when the WebSocket goes afterwards, and the writer learns of it', async () => {
  const { url } = await startScriptedRelay(webSocket => {
    webSocket.send(encodeAccept(65536));
    webSocket.send(encodeData(Uint8Array.of(1)));
    webSocket.send(encodeEnd(), () => webSocket.terminate());
  });
  const { reader, writer } = await openClient(url);
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  expect((await reader.read()).done).toBe(true);
});

test('something else than bytes in a write is a TypeError', async () => {
  const { url } = await startScriptedRelay(webSocket => webSocket.send(encodeAccept(65536)));
  const { writer } = await openClient(url);
  await expect(writer.write('text' as unknown as Uint8Array)).rejects.toThrow(TypeError);
});

test.each([
  ['no URL', 'relay'],
  ['another scheme', 'https://relay.test'],
  ['a fragment', 'ws://relay.test/#a'],
])('%s is a TypeError', (_name, url) => {
  expect(() => createWebSocketTunnel(url, platform)).toThrow(TypeError);
});

test.each<[string, WebSocketTunnelOptions]>([
  ['token', { token: 'x'.repeat(4097) }],
  ['windowBytes', { windowBytes: 65535 }],
  ['openTimeoutMs', { openTimeoutMs: -1 }],
])('a wrong %s is a TypeError', (_name, options) => {
  expect(() => createWebSocketTunnel('ws://relay.test', { ...platform, ...options })).toThrow(TypeError);
});

test.each([
  { hostname: '', port: 443 },
  { hostname: 'bücher.example', port: 443 },
  { hostname: 'a b', port: 443 },
  { hostname: 'x'.repeat(256), port: 443 },
  { hostname: 'a.test', port: 0 },
  { hostname: 'a.test', port: 65536 },
  { hostname: 'a.test', port: 1.5 },
])('the address %j is a TypeError', async address => {
  await expect(createWebSocketTunnel('ws://relay.test', platform).connect(address)).rejects.toThrow(
    TypeError,
  );
});

describe('a relay that falls silent', () => {
  const keepAlive = { keepAliveIntervalMs: 1_000, keepAliveTimeoutMs: 1_000 };

  test('is asked, and left when it does not answer; what had come can be read', async () => {
    const { url, frames, closeCodes } = await startScriptedRelay(webSocket => {
      webSocket.send(encodeAccept(65536));
      webSocket.send(encodeData(Uint8Array.of(1)));
    });
    const { writer, reader } = await openClient(url, keepAlive);
    await expect(writer.closed).rejects.toMatchObject({
      code: 'ERR_TUNNEL_CLOSED',
      message: expect.stringContaining('does not answer'),
    });
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
    await sleep(50);
    expect(frames.filter(({ type }) => type === 'ping')).toHaveLength(1);
    expect(closeCodes).toEqual([4000]);
  });

  test('and answers is kept', async () => {
    let pings = 0;
    const { url } = await startScriptedRelay(webSocket => {
      webSocket.send(encodeAccept(65536));
      webSocket.on('message', data => {
        if (decodeFrame(data as Buffer)?.type !== 'ping') return;
        webSocket.send(++pings < 3 ? encodePong() : encodeData(Uint8Array.of(3)));
      });
    });
    const { reader } = await openClient(url, keepAlive);
    expect((await reader.read()).value).toEqual(Uint8Array.of(3));
    expect(pings).toBe(3);
  });

  test('is not asked by who does not want to', async () => {
    const { url, frames } = await startScriptedRelay(webSocket => webSocket.send(encodeAccept(65536)));
    const { reader } = await openClient(url, { ...keepAlive, keepAliveIntervalMs: 0 });
    const read = reader.read();
    expect(await Promise.race([read, sleep(2_500)])).toBeUndefined();
    expect(frames.map(({ type }) => type)).toEqual(['hello']);
  });

  test('has times in their ranges', () => {
    const wrong = [
      { keepAliveIntervalMs: 999 },
      { keepAliveTimeoutMs: 0 },
      { keepAliveTimeoutMs: Number.NaN },
    ];
    for (const options of wrong) {
      expect(() => createWebSocketTunnel('ws://127.0.0.1/', { ...platform, ...options })).toThrow(TypeError);
    }
  });
});
