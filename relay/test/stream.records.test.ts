import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeCredit } from '../../src/tunnel/wire/frames.js';
import { wholeRecordsLength } from '../src/session/tls-records.js';
import { sleep, startRelay, startTarget, until } from './support/harness.js';
import { TestPage, type TestPageOptions } from './support/test-page.js';

function record(length: number, type = 23): Buffer {
  const bytes = Buffer.alloc(5 + length, length & 255);
  bytes.set([type, 3, 3, length >> 8, length & 255]);
  return bytes;
}

/** A page with a stream to a target that says this. */
async function openTo(says: (socket: import('node:net').Socket) => unknown, options: TestPageOptions = {}) {
  const target = await startTarget(socket => void says(socket));
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const page = await TestPage.open(relay, options);
  page.open(1, target.port);
  return { page, relay, target };
}

/** Whether each message ends where a record does. */
const areWhole = (messages: Buffer[]) => messages.every(each => wholeRecordsLength(each) === each.length);

test('each message ends with a record, however the target sends', { timeout: 30_000 }, async () => {
  const lengths = [0, 1, 5, 100, 16_384, 18_432, 3, 16_401, 16_401, 16_401, 2];
  const all = Buffer.concat(Array.from({ length: 20 }, () => lengths.map(length => record(length))).flat());
  for (const pieceBytes of [1461, 16_384, 70_000, all.length]) {
    const { page } = await openTo(async socket => {
      for (let at = 0; at < all.length; at += pieceBytes) {
        socket.write(all.subarray(at, at + pieceBytes));
        await turn();
      }
      socket.end();
    });
    await page.ended(1);
    expect(areWhole(page.messages(1))).toBe(true);
    expect(page.received(1).equals(all)).toBe(true);
  }
});

test('a target that sends byte by byte', async () => {
  const all = Buffer.concat([record(40, 22), record(1, 20), record(300)]);
  const { page } = await openTo(async socket => {
    for (const byte of all) {
      socket.write(Uint8Array.of(byte));
      await turn();
    }
  });
  await until(() => page.receivedBytes(1) === all.length);
  expect(areWhole(page.messages(1))).toBe(true);
  expect(page.received(1).equals(all)).toBe(true);
});

test('bulk comes in messages of many records', async () => {
  const all = Buffer.concat(Array.from({ length: 500 }, () => record(16_401)));
  const { page } = await openTo(socket => socket.end(all));
  await page.ended(1);
  expect(page.received(1).equals(all)).toBe(true);
  expect(areWhole(page.messages(1))).toBe(true);
  expect(page.messages(1).length).toBeLessThan(250);
});

test.each([
  ['another protocol', Buffer.from('SSH-2.0-OpenSSH_9.2p1')],
  ['a record with an impossible length', Buffer.from([23, 3, 3, 0xff, 0xff, 1, 2, 3])],
  ['another version', Buffer.from([23, 2, 0, 0, 1])],
  ['no record behind a record', Buffer.concat([record(10), Buffer.from('HTTP/1.1')])],
])('%s passes as it comes', async (_name, says) => {
  const { page } = await openTo(async socket => {
    socket.write(says);
    await sleep(50);
    socket.write('more');
  });
  await until(() => page.received(1).equals(Buffer.concat([says, Buffer.from('more')])));
});

test('an incomplete record waits, and comes with the target’s end', async () => {
  const cut = record(1000).subarray(0, 500);
  const { page } = await openTo(async socket => {
    socket.write(record(10));
    socket.write(cut);
    await sleep(200);
    socket.end();
  });
  await until(() => page.receivedBytes(1) > 0);
  await sleep(50);
  expect(page.receivedBytes(1)).toBe(15);
  await page.ended(1);
  expect(page.received(1).equals(Buffer.concat([record(10), cut]))).toBe(true);
});

test('an incomplete record comes before the target’s reset', async () => {
  const cut = record(1000).subarray(0, 500);
  const { page } = await openTo(async socket => {
    socket.write(cut);
    await sleep(100);
    socket.resetAndDestroy();
  });
  expect(await page.reset(1)).toMatchObject({ code: 4 });
  expect(page.received(1).equals(cut)).toBe(true);
});

test('a small window cuts between records, and what is left comes with credit', async () => {
  const all = Buffer.concat(Array.from({ length: 100 }, (_, index) => record(5000 + index)));
  const options = { hello: { streamWindowBytes: 65_536 }, grantsStreams: false };
  const { page } = await openTo(socket => socket.end(all), options);
  await until(() => page.receivedBytes(1) > 60_000);
  await sleep(50);
  expect(page.receivedBytes(1)).toBeLessThanOrEqual(65_536);
  for (let granted = 0; page.frame('end', 1) === undefined; granted += 20_000) {
    expect(granted).toBeLessThan(2 * all.length);
    page.send(encodeCredit(1, 20_000));
    await sleep(5);
  }
  expect(areWhole(page.messages(1))).toBe(true);
  expect(page.received(1).equals(all)).toBe(true);
});

test('what the page has no window for is sent before the target’s reset, and before its end', async () => {
  const options = { hello: { streamWindowBytes: 65_536 }, grantsStreams: false };
  const all = Buffer.concat([record(16_000), record(16_000), record(16_000), record(16_000), record(16_000)]);
  for (const end of ['end', 'reset'] as const) {
    const { page } = await openTo(async socket => {
      socket.write(all);
      await sleep(100);
      if (end === 'end') socket.end();
      else socket.resetAndDestroy();
    }, options);
    await until(() => page.receivedBytes(1) === 4 * 16_005);
    await sleep(150);
    expect(page.frame(end, 1)).toBeUndefined();
    page.send(encodeCredit(1, 65_536));
    await until(() => page.frame(end, 1) !== undefined);
    expect(page.received(1).equals(all)).toBe(true);
  }
});

test('whole records are counted as they are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(18_432), { maxLength: 6 }),
      fc.nat(20_000),
      fc.nat(120_000),
      (lengths, cut, limit) => {
        let end = 0;
        const ends = lengths.map(length => (end += 5 + length));
        const bytes = Buffer.concat(lengths.map(length => record(length)));
        const known = bytes.subarray(0, Math.max(0, bytes.length - cut));
        const expected = ends.filter(end => end <= known.length && end <= limit).at(-1) ?? 0;
        expect(wholeRecordsLength(known, limit)).toBe(expected);
      },
    ),
  );
});

test('any bytes come as they are', { timeout: 60_000 }, async () => {
  const pieces = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(18_432).map(length => new Uint8Array(record(length))),
    ),
    { minLength: 1, maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 30_000 }), async (parts, pieceBytes) => {
      const all = Buffer.concat(parts);
      const { page, relay, target } = await openTo(
        async socket => {
          for (let at = 0; at < all.length; at += pieceBytes) {
            socket.write(all.subarray(at, at + pieceBytes));
            if (all.length / pieceBytes < 500) await turn();
          }
          socket.end();
        },
        { hello: { streamWindowBytes: 65_536, socketWindowBytes: 65_536 } },
      );
      await page.ended(1);
      expect(page.received(1).equals(all)).toBe(true);
      await relay.close();
      target.server.close();
    }),
    { numRuns: 40 },
  );
});
