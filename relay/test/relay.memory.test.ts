import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import type { Relay, RelayOptions } from '../src/index.js';
import {
  connect,
  sleep,
  startEcho,
  startRelay,
  startUnanswering,
  tunnelTo,
  until,
} from './support/harness.js';
import { TestPage } from './support/test-page.js';

const MiB = 1024 * 1024;
const UPLOAD_BYTES = MiB / 2;
const SECRET = new Uint8Array(32).fill(7);
const jwt = { issuer: 'https://issuer.test', audience: 'relay.test', secret: SECRET };

/** A token of a person. */
function tokenOf(subject: string): Promise<string> {
  return new SignJWT({ iss: jwt.issuer, aud: jwt.audience, sub: subject })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(SECRET);
}

/** Uploads that the relay has to hold: the target's connection is never completed. */
async function uploadNowhere(page: TestPage, port: number, { first = 1, count = 1 }): Promise<void> {
  await page.welcome();
  for (let stream = first; stream < first + count; stream++) {
    page.open(stream, port);
    page.write(stream, new Uint8Array(UPLOAD_BYTES));
  }
}

/** Fails when a new stream does not carry as much as the relay may hold in all. */
async function serves(relay: Relay, port: number, token?: string): Promise<void> {
  const { reader, writer } = await connect(tunnelTo(relay, token === undefined ? {} : { token }), port);
  const writing = writer.write(new Uint8Array(8 * MiB));
  for (let received = 0; received < 8 * MiB; ) received += (await reader.read()).value?.length ?? 8 * MiB;
  await writing;
}

async function startSmall(options: RelayOptions = {}) {
  const [echo, nowhere] = [await startEcho(), await startUnanswering()];
  const allow = [echo.port, nowhere].map(port => `127.0.0.1:${port}`);
  const limits = { maxBufferedBytes: 8 * MiB, connectTimeoutMs: 60_000 };
  return { ...(await startRelay({ allow, ...limits, ...options })), echo, nowhere };
}

test('an address that fills three quarters of the memory and more stops itself, and nobody else', async () => {
  const { relay, events, echo, nowhere } = await startSmall();
  const hoarder = await TestPage.open(relay, { localAddress: '127.0.0.2' });
  await uploadNowhere(hoarder, nowhere, { count: 13 });
  await sleep(300);
  hoarder.open(14, nowhere);
  expect(await hoarder.reset(14)).toMatchObject({ code: 3, reason: 'memory' });
  await serves(relay, echo.port);
  expect(relay.connections).toBeGreaterThanOrEqual(2);
  // Beyond the bound it is the hoarder that goes, also where another page's WebSocket is the larger one.
  const second = await TestPage.open(relay, { localAddress: '127.0.0.2' });
  await second.welcome();
  const closed = hoarder.closed();
  for (const stream of [1, 2, 3, 4, 5, 6]) hoarder.write(stream, new Uint8Array(UPLOAD_BYTES));
  expect(await closed).toEqual({ code: 4013, reason: 'memory' });
  await serves(relay, echo.port);
  expect(events.filter(event => event.type === 'closed' && event.reason === 'memory')).toHaveLength(1);
});

test('of two addresses the one that has more goes, though each of its WebSockets is small', async () => {
  const { relay, echo, nowhere } = await startSmall();
  const other = await TestPage.open(relay);
  await uploadNowhere(other, nowhere, { count: 5 });
  await other.welcome();
  other.open(6, echo.port);
  await other.opened(6);
  const hoarders = await Promise.all(
    Array.from({ length: 4 }, () => TestPage.open(relay, { localAddress: '127.0.0.2' })),
  );
  const codes = hoarders.map(page => page.closed().then(({ code }) => code));
  for (const page of hoarders) {
    await page.welcome();
    for (const stream of [1, 2, 3, 4]) page.open(stream, nowhere);
  }
  await until(() => relay.streams === 22);
  for (const page of hoarders)
    for (const stream of [1, 2, 3, 4]) page.write(stream, new Uint8Array(UPLOAD_BYTES));
  expect(await Promise.race(codes)).toBe(4013);
  other.write(6, 'x');
  await until(() => other.receivedBytes(6) === 1);
});

test('the subject of a JWT has one share, whatever its addresses', async () => {
  const { relay, echo, nowhere } = await startSmall({ jwt });
  const hello = { token: await tokenOf('eve') };
  const addresses = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];
  for (const localAddress of addresses)
    await uploadNowhere(await TestPage.open(relay, { hello, localAddress }), nowhere, { count: 3 });
  await uploadNowhere(await TestPage.open(relay, { hello }), nowhere, { count: 1 });
  await sleep(300);
  const last = await TestPage.open(relay, { hello });
  await last.welcome();
  last.open(1, nowhere);
  expect(await last.reset(1)).toMatchObject({ code: 3, reason: 'memory' });
  // From an address of eve's.
  await serves(relay, echo.port, await tokenOf('ann'));
});

test('who has waited for memory goes on when others have left', async () => {
  const { relay, nowhere } = await startSmall();
  const pages = await Promise.all(
    ['127.0.0.2', '127.0.0.3'].map(localAddress => TestPage.open(relay, { localAddress })),
  );
  for (const page of pages) await uploadNowhere(page, nowhere, { count: 7 });
  const [first, second] = pages as [TestPage, TestPage];
  await sleep(300);
  first.open(8, nowhere);
  expect(await first.reset(8)).toMatchObject({ code: 3, reason: 'memory' });
  second.webSocket.terminate();
  await until(() => relay.connections === 1);
  first.open(9, nowhere);
  first.open(10, 1);
  expect(await first.reset(10)).toMatchObject({ code: 1 });
  expect(first.frame('reset', 9)).toBeUndefined();
});
