import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createWebSocketTunnel, type WebSocketTunnelOptions } from '../../../src/tunnel/websocket-tunnel.js';
import { encodeCredit, encodeData, encodeEnd, encodeOpened } from '../../../src/tunnel/wire/frames.js';
import {
  ADDRESS,
  MIB,
  openStream,
  openTunnel,
  platform,
  sleep,
  startScriptedRelay,
} from './support/scripted-relay.js';

test('HELLO, OPEN and the first bytes do not wait for WELCOME', async () => {
  const { url, page } = await startScriptedRelay(() => {});
  const { writer } = await openStream(openTunnel(url, { token: 'T', windowBytes: 131072 }));
  await writer.write(Uint8Array.of(7));
  await expect
    .poll(() => page().frames)
    .toEqual([
      { type: 'hello', version: 2, socketWindowBytes: MIB / 2, streamWindowBytes: 131072, token: 'T' },
      { type: 'open', stream: 1, ...ADDRESS },
      { type: 'data', stream: 1, payload: Buffer.of(7) },
    ]);
});

test('the socket is open before the first stream, unless it shall wait for that', async () => {
  const { url, pages } = await startScriptedRelay();
  const lazy = openTunnel(url, { connectAt: 'first-use' });
  await sleep(100);
  expect(pages).toHaveLength(0);
  openTunnel(url);
  await expect.poll(() => pages[0]?.of('hello')).toHaveLength(1);
  await openStream(lazy);
  expect(pages).toHaveLength(2);
});

test('streams share a socket, whether it is open or just opens', async () => {
  const { url, pages, page } = await startScriptedRelay();
  const tunnel = openTunnel(url);
  await Promise.all([openStream(tunnel), openStream(tunnel)]);
  await openStream(tunnel);
  await expect
    .poll(() =>
      page()
        .of('open')
        .map(({ stream }) => stream),
    )
    .toEqual([1, 2, 3]);
  expect(pages).toHaveLength(1);
});

test('bytes go both ways, and each side ends by itself', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type === 'open') page.send(encodeOpened(1), encodeData(1, Uint8Array.of(1, 2)), encodeEnd(1));
  });
  const { writer, reader } = await openStream(openTunnel(url));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2));
  expect((await reader.read()).done).toBe(true);
  await writer.write(Uint8Array.of(3));
  await writer.close();
  await expect.poll(() => page().frames.at(-1)).toEqual({ type: 'end', stream: 1 });
  expect(page().dataBytes(1)).toBe(1);
});

test('no more is sent than the relay has granted, to the stream and in all', async () => {
  const { url, page } = await startScriptedRelay(() => {});
  const { writer } = await openStream(openTunnel(url));
  let written = false;
  const write = writer.write(new Uint8Array(400_000)).then(() => {
    written = true;
  });
  const bytes = () => page().dataBytes();
  await expect.poll(bytes).toBe(65_536);
  // The smallest windows bring no credit beyond the initial one.
  page().welcome({ socketWindowBytes: 65_536, streamWindowBytes: 65_536 });
  page().send(encodeOpened(1), encodeCredit(1, 200_000));
  await sleep(50);
  expect(bytes()).toBe(65_536);
  page().send(encodeCredit(0, 100_000));
  await expect.poll(bytes).toBe(165_536);
  page().send(encodeCredit(0, 1_000_000));
  await expect.poll(bytes).toBe(265_536);
  expect(written).toBe(false);
  page().send(encodeCredit(1, 200_000));
  await write;
  await expect.poll(bytes).toBe(400_000);
});

test('windows of WELCOME count from the first byte', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome({ streamWindowBytes: 100_000 });
  });
  const { writer } = await openStream(openTunnel(url));
  writer.write(new Uint8Array(400_000)).catch(() => {});
  await expect.poll(() => page().dataBytes()).toBe(100_000);
  await sleep(50);
  expect(page().dataBytes()).toBe(100_000);
});

test('credit of a stream is for what was taken, that of the socket for what came', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(1));
    for (let count = 0; count < 4; count++) page.send(encodeData(1, new Uint8Array(16_384).fill(count)));
  });
  const tunnel = openTunnel(url, { windowBytes: 65_536, maxWindowBytes: 65_536, socketWindowBytes: 262_144 });
  const { reader } = await openStream(tunnel);
  const credits = () => page().of('credit');
  await expect.poll(credits).toEqual([{ type: 'credit', stream: 0, bytes: 65_536 }]);
  expect((await reader.read()).value?.[0]).toBe(0);
  await expect.poll(credits).toHaveLength(2);
  expect(credits()[1]).toEqual({ type: 'credit', stream: 1, bytes: 16_384 });
});

test('giving up resets the stream alone, and drops what was not read', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type === 'open')
      page.send(encodeOpened(frame.stream), encodeData(frame.stream, Uint8Array.of(1)));
  });
  const tunnel = openTunnel(url);
  const ends = await Promise.all([openStream(tunnel), openStream(tunnel)]);
  await ends[0].reader.cancel('enough');
  await expect(ends[0].writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED', cause: 'enough' });
  await ends[1].writer.abort('enough');
  await expect(ends[1].reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED', cause: 'enough' });
  await expect
    .poll(() => page().of('reset'))
    .toEqual([
      { type: 'reset', stream: 1, code: 0, reason: '' },
      { type: 'reset', stream: 2, code: 0, reason: '' },
    ]);
  expect(page().closeCode).toBeUndefined();
});

test('the signal ends its stream as long as that lives, with its reason', async () => {
  const { url, page } = await startScriptedRelay();
  const tunnel = openTunnel(url);
  const controller = new AbortController();
  const { reader, writer } = await openStream(tunnel, controller.signal);
  const other = await openStream(tunnel);
  controller.abort('over');
  await expect(reader.read()).rejects.toBe('over');
  await expect(writer.closed).rejects.toBe('over');
  await other.writer.write(Uint8Array.of(1));
  await expect.poll(() => page().dataBytes(2)).toBe(1);
});

test('the signal ends the wait for a socket, not the socket', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const tunnel = openTunnel(`ws://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const controller = new AbortController();
  const connect = tunnel.connect(ADDRESS, { signal: controller.signal });
  controller.abort('over');
  await expect(connect).rejects.toBe('over');
  await expect(tunnel.connect(ADDRESS, { signal: controller.signal })).rejects.toBe('over');
});

test('what opens no WebSocket, or another one, is not a relay', async () => {
  const closed = openTunnel('ws://127.0.0.1:9');
  const foreign = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'chat' });
  await once(foreign, 'listening');
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => {
    foreign.close();
    silent.close();
  });
  const urlOf = (server: { address(): unknown }) =>
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?secret=1`;
  const unreachable = { code: 'ERR_TUNNEL_UNREACHABLE' };
  const connect = (tunnel: ReturnType<typeof openTunnel>) =>
    Promise.allSettled([tunnel.connect(ADDRESS), tunnel.connect(ADDRESS)]);
  for (const tunnel of [closed, openTunnel(urlOf(foreign)), openTunnel(urlOf(silent), { openTimeoutMs: 50 })])
    for (const { status, ...result } of await connect(tunnel)) {
      expect(status).toBe('rejected');
      expect(result).toMatchObject({ reason: unreachable });
      expect(result).toMatchObject({ reason: { message: expect.not.stringContaining('secret') } });
    }
});

test('something else than bytes in a write is a TypeError', async () => {
  const { url } = await startScriptedRelay();
  const { writer } = await openStream(openTunnel(url));
  await expect(writer.write('text' as unknown as Uint8Array)).rejects.toThrow(TypeError);
});

test.each([
  ['no URL', 'relay'],
  ['another scheme', 'https://relay.test'],
  ['a fragment', 'ws://relay.test/#a'],
])('%s is a TypeError', (_name, url) => {
  expect(() => createWebSocketTunnel(url, platform)).toThrow(TypeError);
});

test.each<[string, object]>([
  ['token', { token: 'x'.repeat(4097) }],
  ['windowBytes', { windowBytes: 65_535 }],
  ['maxWindowBytes', { windowBytes: 131_072, maxWindowBytes: 131_071 }],
  ['maxWindowBytes', { maxWindowBytes: 16 * MIB + 1 }],
  ['socketWindowBytes', { socketWindowBytes: 64 * MIB + 1 }],
  ['openTimeoutMs', { openTimeoutMs: -1 }],
  ['sockets', { sockets: 0 }],
  ['sockets', { sockets: 9 }],
  ['connectAt', { connectAt: 'later' }],
  ['keepAliveIntervalMs', { keepAliveIntervalMs: 999 }],
  ['keepAliveTimeoutMs', { keepAliveTimeoutMs: 0 }],
  ['keepAliveTimeoutMs', { keepAliveTimeoutMs: Number.NaN }],
  ['window', { window: 1 }],
])('a wrong %s is a TypeError', (name, options) => {
  const make = () =>
    createWebSocketTunnel('ws://127.0.0.1:9', { ...platform, ...(options as WebSocketTunnelOptions) });
  expect(make).toThrow(TypeError);
  expect(make).toThrow(`"${name}"`);
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
  const tunnel = createWebSocketTunnel('ws://127.0.0.1:9', { ...platform, connectAt: 'first-use' });
  await expect(tunnel.connect(address)).rejects.toThrow(TypeError);
});
