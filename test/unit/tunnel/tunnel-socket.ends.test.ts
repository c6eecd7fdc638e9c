import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TunnelSocket } from '../../../src/tunnel/socket/tunnel-socket.js';
import { createWebSocketTunnel } from '../../../src/tunnel/websocket-tunnel.js';
import {
  encodeData,
  encodeEnd,
  encodeGoAway,
  encodeOpened,
  encodePong,
  encodeReset,
} from '../../../src/tunnel/wire/frames.js';
import {
  ADDRESS,
  MIB,
  openStream,
  openTunnel,
  platform,
  polite,
  sleep,
  startScriptedRelay,
} from './support/scripted-relay.js';

const byte = Uint8Array.of(1);

test.each([
  [1, '', 'ERR_TUNNEL_DENIED', '--allow target.test:443'],
  [2, 'refused', 'ERR_TUNNEL_UNREACHABLE', 'refused the connection'],
  [2, 'dns', 'ERR_TUNNEL_UNREACHABLE', 'cannot resolve'],
  [2, 'timeout', 'ERR_TUNNEL_UNREACHABLE', '--connect-timeout'],
  [2, 'network', 'ERR_TUNNEL_UNREACHABLE', 'no way'],
  [3, 'streams', 'ERR_TUNNEL_UNREACHABLE', 'as many streams'],
  [3, 'stream-rate', 'ERR_TUNNEL_UNREACHABLE', 'too many new streams'],
  [3, 'memory', 'ERR_TUNNEL_UNREACHABLE', 'memory'],
  [3, 'lookups', 'ERR_TUNNEL_UNREACHABLE', 'names'],
  [4, 'ECONNRESET', 'ERR_TUNNEL_RESET', 'reset the connection'],
  [5, '', 'ERR_TUNNEL_CLOSED', '--idle-timeout'],
  [6, '', 'ERR_TUNNEL_DENIED', 'ClientHello'],
  [99, 'news', 'ERR_TUNNEL_CLOSED', '99'],
])('RESET %i %s ends one stream with %s', async (code, reason, expected, words) => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    if (frame.stream === 1) page.send(encodeReset({ stream: 1, code, reason }));
    else page.send(encodeOpened(2), encodeData(2, byte));
  });
  const tunnel = openTunnel(url);
  const [refused, other] = [await openStream(tunnel), await openStream(tunnel)];
  const error = { code: expected, message: expect.stringContaining(words) };
  await expect(refused.reader.read()).rejects.toMatchObject(error);
  await expect(refused.writer.closed).rejects.toMatchObject(error);
  expect((await other.reader.read()).value).toEqual(byte);
  expect(page().of('reset')).toEqual([]);
});

test.each([
  [1000, '', 'ERR_TUNNEL_CLOSED'],
  [1001, '', 'ERR_TUNNEL_CLOSED'],
  [1002, '', 'ERR_TUNNEL_PROTOCOL'],
  [1008, '', 'ERR_TUNNEL_PROTOCOL'],
  [4001, '', 'ERR_TUNNEL_PROTOCOL'],
  [4002, '', 'ERR_TUNNEL_PROTOCOL'],
  [4010, '', 'ERR_TUNNEL_AUTH'],
  [4011, '', 'ERR_TUNNEL_AUTH'],
  [4013, 'connections-per-address', 'ERR_TUNNEL_UNREACHABLE'],
  [4014, '', 'ERR_TUNNEL_AUTH'],
  [4030, '', 'ERR_TUNNEL_CLOSED'],
  [4031, '', 'ERR_TUNNEL_CLOSED'],
])('close %i %s ends all streams with %s', async (code, reason, expected) => {
  const { url, pages } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(frame.stream));
    if (frame.stream === 2) page.webSocket.close(code, reason);
  });
  const tunnel = openTunnel(url);
  for (const { reader, writer } of [await openStream(tunnel), await openStream(tunnel)]) {
    await expect(reader.read()).rejects.toMatchObject({ code: expected });
    await expect(writer.closed).rejects.toMatchObject({ code: expected });
  }
  await openStream(tunnel);
  expect(pages).toHaveLength(2);
});

test('what came before the WebSocket was lost can be read', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(1), encodeData(1, byte));
    page.webSocket.send(encodeData(1, byte), () => page.webSocket.terminate());
  });
  const { reader, writer } = await openStream(openTunnel(url));
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  expect(page().closeCode).toBe(1006);
  expect((await reader.read()).value).toEqual(Uint8Array.of(1, 1));
  await expect(reader.read()).rejects.toMatchObject({ message: expect.stringContaining('The tunnel broke') });
});

test('an end stays clean when the WebSocket goes afterwards, and the writer learns of it', async () => {
  const { url } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello') page.welcome();
    if (frame.type !== 'open') return;
    page.send(encodeOpened(1), encodeData(1, byte));
    page.webSocket.send(encodeEnd(1), () => page.webSocket.terminate());
  });
  const { reader, writer } = await openStream(openTunnel(url));
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  expect((await reader.read()).value).toEqual(byte);
  expect((await reader.read()).done).toBe(true);
});

test('a stream that has ended both ways does not notice the end of the WebSocket', async () => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    polite(frame, page);
    if (frame.type === 'end') page.send(encodeData(1, byte), encodeEnd(1));
  });
  const { reader, writer } = await openStream(openTunnel(url));
  await writer.close();
  await expect.poll(() => page().of('end')).toHaveLength(1);
  await sleep(20);
  page().webSocket.terminate();
  await sleep(20);
  expect((await reader.read()).value).toEqual(byte);
  expect((await reader.read()).done).toBe(true);
});

describe('another WebSocket is opened', () => {
  test.each([1006, 4030, 4031])('when the relay has closed the idle one (%i)', async code => {
    const { url, pages, page } = await startScriptedRelay(polite);
    const tunnel = openTunnel(url);
    await expect.poll(() => pages[0]?.of('ping')).toHaveLength(1);
    if (code === 1006) page().webSocket.terminate();
    else page().webSocket.close(code);
    await sleep(50);
    await openStream(tunnel);
    expect(pages).toHaveLength(2);
  });

  test('after GOAWAY; the streams that are open go on, and the old one closes behind them', async () => {
    const { url, pages } = await startScriptedRelay(polite);
    const tunnel = openTunnel(url);
    const old = await openStream(tunnel);
    await expect.poll(() => pages[0]?.of('open')).toHaveLength(1);
    pages[0]?.send(encodeGoAway());
    await sleep(20);
    await openStream(tunnel);
    expect(pages).toHaveLength(2);
    pages[0]?.send(encodeData(1, byte));
    expect((await old.reader.read()).value).toEqual(byte);
    await old.writer.write(byte);
    await expect.poll(() => pages[0]?.dataBytes()).toBe(1);
    expect(pages[0]?.closeCode).toBeUndefined();
    await old.reader.cancel();
    await expect.poll(() => pages[0]?.closeCode).toBe(1000);
    expect(pages[1]?.closeCode).toBeUndefined();
  });

  test('for those who wait, when the one that they waited for takes no more', async () => {
    const { url, pages } = await startScriptedRelay((frame, page) => {
      if (frame.type === 'hello') page.welcome({ maxStreams: 1 });
      if (frame.type === 'open') page.send(encodeOpened(frame.stream));
    });
    const tunnel = openTunnel(url);
    await openStream(tunnel);
    await expect.poll(() => pages[0]?.of('ping')).toHaveLength(1);
    const second = openStream(tunnel);
    await sleep(20);
    pages[0]?.send(encodeGoAway());
    await second;
    expect(pages).toHaveLength(2);
  });

  test('once for all who come while it opens, and once more when that failed', async () => {
    let upgrades = 0;
    const refusing = createServer(socket => {
      upgrades++;
      socket.once('data', () => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'));
    }).listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    onTestFinished(() => void refusing.close());
    const tunnel = openTunnel(`ws://127.0.0.1:${(refusing.address() as AddressInfo).port}`);
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => tunnel.connect(ADDRESS)));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    expect(upgrades).toBe(1);
    await expect(tunnel.connect(ADDRESS)).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
    await sleep(50);
    expect(upgrades).toBe(2);
  });

  test('when the numbers of streams have run out', async () => {
    const { url, page } = await startScriptedRelay(polite);
    const retired: TunnelSocket[] = [];
    const webSocket = new platform.WebSocket(url, ['browser-mtls.v2']);
    webSocket.binaryType = 'arraybuffer';
    const settings = {
      ...{
        url,
        token: '',
        tokenRenews: false,
        windowBytes: MIB,
        maxWindowBytes: MIB,
        socketWindowBytes: MIB,
        openTimeoutMs: 0,
      },
      ...{ keepAlive: { intervalMs: 0, timeoutMs: 1_000 }, firstStream: 2 ** 32 - 2, ...platform },
    };
    const socket = new TunnelSocket(settings, webSocket, it => retired.push(it));
    const wanted = [1, 2, 3].map(() => socket.open(ADDRESS, undefined));
    const streams = await Promise.all(wanted);
    expect(streams.map(it => it?.number)).toEqual([2 ** 32 - 2, 2 ** 32 - 1, undefined]);
    expect(retired).toEqual([socket]);
    await expect.poll(() => page().of('open')).toHaveLength(2);
    for (const stream of streams) stream?.reset();
    await expect.poll(() => page().closeCode).toBe(1000);
  });
});

test('of several sockets a stream goes to the one with the fewest', async () => {
  const { url, pages } = await startScriptedRelay(polite);
  const tunnel = openTunnel(url, { sockets: 3 });
  const streams = [];
  for (let count = 0; count < 7; count++) streams.push(await openStream(tunnel));
  const loads = () => pages.map(page => page.of('open').length);
  await expect.poll(loads).toEqual([3, 2, 2]);
  await streams[1]?.reader.cancel();
  await openStream(tunnel);
  await expect.poll(loads).toEqual([3, 3, 2]);
});

describe('a tunnel that is closed', () => {
  test('closes its WebSocket when the last stream is over', async () => {
    const { url, page } = await startScriptedRelay(polite);
    const tunnel = openTunnel(url);
    const { reader } = await openStream(tunnel);
    await expect.poll(() => page().of('open')).toHaveLength(1);
    tunnel.close();
    page().send(encodeData(1, byte));
    expect((await reader.read()).value).toEqual(byte);
    await reader.cancel();
    await expect.poll(() => page().closeCode).toBe(1000);
  });

  test('closes an idle one, and one that opens; a later stream opens another', async () => {
    const { url, pages } = await startScriptedRelay(polite);
    openTunnel(url).close();
    const tunnel = openTunnel(url);
    await expect.poll(() => pages.at(-1)?.of('ping')).toHaveLength(1);
    tunnel.close();
    await expect.poll(() => pages.at(-1)?.closeCode).toBe(1000);
    const before = pages.length;
    await openStream(tunnel);
    expect(pages).toHaveLength(before + 1);
  });
});

describe('a relay that falls silent', () => {
  const keepAlive = { keepAliveIntervalMs: 1_000, keepAliveTimeoutMs: 1_000 };
  const answering = (count: number) => {
    let answered = 0;
    return (frame: Parameters<typeof polite>[0], page: Parameters<typeof polite>[1]) => {
      polite(frame, page);
      if (frame.type === 'ping' && answered++ < count) page.send(encodePong(frame.nonce));
      if (frame.type === 'open') page.send(encodeData(frame.stream, byte));
    };
  };

  test('is asked, and left when it does not answer; what had come can be read', async () => {
    const { url, page } = await startScriptedRelay(answering(3));
    const { writer, reader } = await openStream(openTunnel(url, keepAlive));
    await expect(writer.closed).rejects.toMatchObject({
      code: 'ERR_TUNNEL_CLOSED',
      message: expect.stringContaining('does not answer'),
    });
    expect((await reader.read()).value).toEqual(byte);
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
    await expect.poll(() => page().closeCode).toBe(4000);
    // The first three measure the round trip.
    expect(page().of('ping')).toHaveLength(4);
  });

  test('and answers is kept', async () => {
    const { url, page } = await startScriptedRelay(answering(5));
    const { writer } = await openStream(openTunnel(url, keepAlive));
    await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
    expect(page().of('ping')).toHaveLength(6);
  });

  test('is not asked while no stream is open, nor by who does not want to', async () => {
    const { url, pages } = await startScriptedRelay(answering(9));
    openTunnel(url, keepAlive);
    await openStream(openTunnel(url, { keepAliveIntervalMs: 0 }));
    await sleep(2_500);
    expect(pages.map(page => [page.of('ping').length, page.closeCode])).toEqual(
      Array(2).fill([3, undefined]),
    );
  });
});

test('a WebSocket that the browser blocks, with an error and no close, fails at once', async () => {
  class Blocked {
    readyState = 0;
    onerror?: () => void;
    constructor() {
      queueMicrotask(() => {
        this.readyState = 3;
        this.onerror?.();
      });
    }
    close() {}
  }
  const options = { connectAt: 'first-use', openTimeoutMs: 0, WebSocket: Blocked as never } as const;
  const tunnel = createWebSocketTunnel('ws://relay.test/', options);
  await expect(tunnel.connect(ADDRESS)).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
});
