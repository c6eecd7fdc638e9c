import { expect, test } from 'vitest';
import { encodeEnd, encodeReset } from '../../src/tunnel/wire/frames.js';
import {
  connect,
  pageWebSocket,
  readAll,
  sleep,
  startEcho,
  startRelay,
  startTarget,
  startUnanswering,
  tunnelTo,
  until,
} from './support/harness.js';
import { TestPage } from './support/test-page.js';

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

test('bytes go both ways, and the first ones right behind the hello', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({ allow: [`localhost:${echo.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port, 'LOCALHOST');
  await writer.write(bytes('hello'));
  expect(text((await reader.read()).value)).toBe('hello');
  await writer.close();
  expect((await reader.read()).done).toBe(true);
  await until(() => relay.streams === 0);
  expect(events.at(-1)).not.toHaveProperty('code');
  expect(events.at(-1)).toMatchObject({
    type: 'stream-closed',
    stream: 1,
    target: `localhost:${echo.port}`,
    bytesFromPage: 5,
    bytesFromTarget: 5,
  });
});

test('the target ends first, the page goes on sending', async () => {
  const received: Buffer[] = [];
  let ended = false;
  const target = await startTarget(socket => {
    socket.end('bye');
    socket.on('data', chunk => received.push(chunk));
    socket.on('end', () => {
      ended = true;
    });
  });
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  expect(text(await readAll(reader))).toBe('bye');
  await sleep(50);
  await writer.write(bytes('still here'));
  await writer.close();
  await until(() => ended);
  expect(Buffer.concat(received).toString()).toBe('still here');
  await until(() => events.at(-1)?.type === 'stream-closed');
  expect(events.at(-1)).not.toHaveProperty('code');
});

test('the page ends first, the target goes on sending', async () => {
  const target = await startTarget(socket => {
    socket.resume();
    socket.on('end', () => setTimeout(() => socket.end('afterwards'), 50));
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  await writer.close();
  expect(text(await readAll(reader))).toBe('afterwards');
});

test('a target that resets is told apart from its end and from a lost relay', async () => {
  const target = await startTarget(socket => {
    socket.write('part', () => setTimeout(() => socket.resetAndDestroy(), 50));
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  expect(text((await reader.read()).value)).toBe('part');
  await expect(reader.read()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_RESET',
    message: expect.stringContaining('reset the connection'),
  });
  await expect(writer.write(bytes('x'))).rejects.toMatchObject({ code: 'ERR_TUNNEL_RESET' });
});

test('what a target said before it reset can be read, although what is written to it fails', async () => {
  const target = await startTarget(socket => socket.pause());
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  await writer.write(bytes('a request of which'));
  await until(() => target.sockets.length === 1);
  await sleep(50);
  // In one turn, in which the page's message leaves first, so that the relay finds something to write, to a connection that is gone,
  // before it looks for something to read.
  const writing = writer.write(bytes('the target reads nothing'));
  for (let count = 0; count < 20; count++) await Promise.resolve();
  const [socket] = target.sockets;
  socket?.write('an early answer');
  socket?.resetAndDestroy();
  await writing;
  expect(text((await reader.read()).value)).toBe('an early answer');
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_RESET' });
  await until(() => events.at(-1)?.type === 'stream-closed');
  expect(events.at(-1)).toMatchObject({ code: 4, reason: expect.stringMatching(/EPIPE|ECONNRESET/) });
});

test('what arrived before the relay went away can be read, then the tunnel is broken', async () => {
  const target = await startTarget(socket => socket.write('part'));
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  await sleep(100);
  await relay.close();
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  expect(text((await reader.read()).value)).toBe('part');
  await expect(reader.read()).rejects.toMatchObject({
    code: 'ERR_TUNNEL_CLOSED',
    message: expect.stringContaining('The tunnel broke'),
  });
});

test.each([
  ['reader.cancel', 'cancel'],
  ['writer.abort', 'abort'],
])('%s gives the connection up: the target sees a reset', async (_name, how) => {
  let errorCode: string | undefined;
  const target = await startTarget(socket => {
    socket.resume();
    socket.on('error', (error: NodeJS.ErrnoException) => {
      errorCode = error.code;
    });
  });
  const { relay, events } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  await writer.write(bytes('x'));
  await until(() => target.sockets.length === 1);
  await (how === 'cancel' ? reader.cancel(new Error('enough')) : writer.abort(new Error('enough')));
  await until(() => errorCode !== undefined);
  expect(errorCode).toBe('ECONNRESET');
  await expect(writer.write(bytes('x'))).rejects.toBeDefined();
  expect(events.at(-1)).toMatchObject({ type: 'stream-closed', code: 0 });
});

test('aborting a write that waits for credit does not wait for it', async () => {
  const target = await startTarget(socket => {
    socket.pause();
  });
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], windowBytes: 65536 });
  const { writer, reader } = await connect(tunnelTo(relay), target.port);
  const write = writer.write(new Uint8Array(64 * 1024 * 1024));
  write.catch(() => {});
  await sleep(200);
  await writer.abort(new Error('enough'));
  await expect(write).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
});

test('the relay keeps a record of the bytes when asked to', async () => {
  const echo = await startEcho();
  const record: string[] = [];
  const { relay } = await startRelay({
    allow: [`127.0.0.1:${echo.port}`],
    observeBytes: (direction, chunk, connection, stream) =>
      record.push(`${connection}.${stream} ${direction} ${text(chunk)}`),
  });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(bytes('ping'));
  await reader.read();
  expect(record).toEqual(['1.1 page-to-target ping', '1.1 target-to-page ping']);
});

test('many streams at once do not mix', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], windowBytes: 65536 });
  const tunnel = tunnelTo(relay, { windowBytes: 65536 });
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const { reader, writer } = await connect(tunnel, echo.port);
      const payload = new Uint8Array(300_000).map((_, at) => (at * 7 + index) & 255);
      const [back] = await Promise.all([readAll(reader), writer.write(payload).then(() => writer.close())]);
      expect(Buffer.compare(back, payload)).toBe(0);
    }),
  );
});

test('an abort signal ends each stage with its reason', async () => {
  const echo = await startEcho();
  const unansweringPort = await startUnanswering();
  const { relay } = await startRelay({ allow: ['127.0.0.1:*'] });
  const tunnel = tunnelTo(relay);
  const address = { hostname: '127.0.0.1', port: echo.port };
  const reason = new Error('stop');

  await expect(tunnel.connect(address, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

  const opening = new AbortController();
  const promise = tunnel.connect(address, { signal: opening.signal });
  opening.abort(reason);
  await expect(promise).rejects.toBe(reason);

  const connecting = new AbortController();
  const unanswered = await tunnel.connect(
    { hostname: '127.0.0.1', port: unansweringPort },
    { signal: connecting.signal },
  );
  connecting.abort(reason);
  await expect(unanswered.readable.getReader().read()).rejects.toBe(reason);
  await expect(unanswered.writable.getWriter().closed).rejects.toBe(reason);

  const streaming = new AbortController();
  const stream = await tunnel.connect(address, { signal: streaming.signal });
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  const reader = stream.readable.getReader();
  await writer.write(bytes('x'));
  await reader.read();
  streaming.abort(reason);
  await expect(reader.read()).rejects.toBe(reason);
  await expect(writer.write(bytes('x'))).rejects.toBe(reason);
  await until(() => relay.streams === 0);
});

test('a page without Origin is served when a token is asked for', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    allow: [`127.0.0.1:${echo.port}`],
    origins: [],
    tokens: ['another-token-of-pages', 'secret-secret-secret'],
  });
  const { reader, writer } = await connect(
    tunnelTo(relay, { token: 'secret-secret-secret', WebSocket: pageWebSocket(null) }),
    echo.port,
  );
  await writer.write(bytes('x'));
  expect(text((await reader.read()).value)).toBe('x');
});

test('a page that ends a stream and resets it leaves no descriptor, and gives its place back once', async () => {
  const target = await startTarget(socket => socket.resume());
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${target.port}`], maxStreamsInAll: 4 },
  });
  const page = await TestPage.open(relay);
  for (const stream of [1, 2, 3]) {
    page.open(stream, target.port);
    await page.opened(stream);
  }
  // Together, so that the reset comes while the target is still being told of the end.
  for (const stream of [1, 2, 3]) page.send(encodeEnd(stream), encodeReset({ stream, code: 0, reason: '' }));
  await until(() => relay.streams === 0);
  // A target finds out that nobody is there when it speaks.
  const speaking = setInterval(() => {
    for (const socket of target.sockets) socket.write('anybody?');
  }, 20);
  await until(() => target.sockets.length === 3 && target.sockets.every(({ closed }) => closed));
  clearInterval(speaking);
  const closed = events.flatMap(event => (event.type === 'stream-closed' ? event.stream : []));
  expect(closed).toEqual([1, 2, 3]);
  for (const stream of [4, 5, 6, 7, 8]) page.open(stream, target.port);
  expect(await page.reset(8)).toMatchObject({ code: 3, reason: 'streams-in-all' });
});
