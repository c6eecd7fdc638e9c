import { expect, test } from 'vitest';
import { encodeHello, encodeOpen, encodePing, encodePong } from '../../src/tunnel/wire/frames.js';
import type { Relay } from '../src/index.js';
import { clientFrame, startEcho, startRelay, until, upgradeRaw } from './support/harness.js';
import { HELLO } from './support/test-page.js';

/** A page that is admitted, and answers nothing. */
async function admittedPage(relay: Relay) {
  const { socket, receives } = await upgradeRaw(relay);
  socket.write(clientFrame('binary', encodeHello(HELLO)));
  await receives(bytes => bytes.length > 0);
  return { socket, receives };
}

const repeated = (count: number, frame: (index: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, index) => frame(index)));

test.each(['FIN', 'RST'])('a page that is held back and goes by %s is missed at once', async way => {
  const { relay } = await startRelay({ framesPerSecond: 100 });
  const { socket, receives } = await admittedPage(relay);
  const pongs = repeated(1000, () => clientFrame('pong'));
  socket.write(Buffer.concat([pongs, clientFrame('binary', encodePing(7))]));
  // More than is read at once: the rest waits below Node, and the end of the connection behind it.
  for (let count = 0; count < 100; count++) socket.write(pongs);
  await receives(bytes => bytes.includes(Buffer.from(encodePong(7))));
  if (way === 'FIN') socket.destroy();
  else socket.resetAndDestroy();
  await until(() => relay.connections === 0);
});

test('for a page that is gone no further streams are opened', async () => {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], framesPerSecond: 100, maxStreams: 2500 },
    ...{ newStreamsPerSecond: 0, newStreamsPerSecondPerAddress: 0 },
  });
  const { socket } = await admittedPage(relay);
  const open = (stream: number) => encodeOpen({ stream, hostname: '127.0.0.1', port: echo.port });
  // All of it is read at once, and told a message in a turn.
  socket.write(repeated(2000, index => clientFrame('binary', open(index + 1))));
  await until(() => relay.streams > 0);
  socket.resetAndDestroy();
  await until(() => relay.connections === 0);
  expect(events.find(({ type }) => type === 'closed')).toMatchObject({ code: 1006 });
  // A connection that had just been made when the page went is reset, and told as well.
  expect(events.filter(({ type }) => type === 'stream-closed').length).toBeLessThan(1500);
});

test('of streams that are asked for in one read, few are opened or refused before others have their turn', async () => {
  let inTurn = 0;
  let mostInTurn = 0;
  let refused = 0;
  const { relay } = await startRelay({
    newStreamsPerSecond: 0,
    newStreamsPerSecondPerAddress: 0,
    framesPerSecond: 0,
    framesPerSecondPerAddress: 0,
    log: ({ type }) => {
      if (type !== 'stream-closed') return;
      refused++;
      if (inTurn === 0)
        setImmediate(() => {
          inTurn = 0;
        });
      inTurn++;
      mostInTurn = Math.max(mostInTurn, inTurn);
    },
  });
  const { socket } = await admittedPage(relay);
  const open = (stream: number) => encodeOpen({ stream, hostname: 'denied.test', port: 1 });
  socket.write(repeated(1000, index => clientFrame('binary', open(index + 1))));
  await until(() => refused === 1000);
  expect(mostInTurn).toBeLessThan(16);
});
