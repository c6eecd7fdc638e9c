import { expect, test } from 'vitest';
import { encodeData, encodeEnd, encodePing, encodeReset } from '../../src/tunnel/wire/frames.js';
import type { Admitted, Refused } from '../src/admission/admission.js';
import { sleep, startEcho, startTarget, until } from './support/harness.js';
import { startSessions } from './support/session.js';
import { TestPage } from './support/test-page.js';

const TOKEN = { hello: { token: 'a-token-of-pages' } };

/** Sessions whose admission waits until the test decides. */
async function startUndecided(port: number) {
  let decide: (verdict: Admitted | Refused | Promise<never>) => void = () => {};
  const verdict = new Promise<Admitted | Refused>(resolve => {
    decide = resolve;
  });
  const started = await startSessions({ allow: [`127.0.0.1:${port}`] }, () => verdict);
  return { ...started, decide };
}

test('what comes before the page is admitted waits, and then goes to its targets', async () => {
  const echo = await startEcho();
  const { url, decide } = await startUndecided(echo.port);
  const page = await TestPage.open({ url }, TOKEN);
  for (let stream = 1; stream <= 8; stream++) page.open(stream, echo.port);
  page.write(1, 'first');
  page.write(8, new Uint8Array(65_536 - 10));
  page.write(1, 'later');
  page.end(2);
  page.send(encodeReset({ stream: 3, code: 0, reason: '' }), encodePing(5));
  await sleep(100);
  expect(page.frames.map(({ type }) => type)).toEqual(['pong']);
  expect(echo.sockets).toHaveLength(0);
  decide({ shared: true });
  await until(() => page.received(1).toString() === 'firstlater');
  await until(() => page.receivedBytes(8) === 65_526);
  await page.ended(2);
  expect(page.frame('opened', 3)).toBeUndefined();
  expect(page.frames[1]?.type).toBe('welcome');
});

test('no more than 64 KiB and 8 streams are heard before the page is admitted', async () => {
  const echo = await startEcho();
  const { url } = await startUndecided(echo.port);
  const page = await TestPage.open({ url }, TOKEN);
  const closed = page.closed();
  page.open(1, echo.port);
  page.write(1, new Uint8Array(65_536));
  page.send(encodeData(1, Uint8Array.of(1)));
  // Who is not admitted gets no close code.
  expect((await closed).code).toBe(1006);
  const other = await TestPage.open({ url }, TOKEN);
  const otherClosed = other.closed();
  for (let stream = 1; stream <= 9; stream++) other.open(stream, echo.port);
  expect((await otherClosed).code).toBe(1006);
  expect(echo.sockets).toHaveLength(0);
});

test('what was sent before the page was admitted counts against the windows that it is told', async () => {
  const target = await startTarget(socket => socket.pause());
  const { url, decide } = await startUndecided(target.port);
  const page = await TestPage.open({ url }, TOKEN);
  page.open(1, target.port);
  page.write(1, new Uint8Array(65_536));
  decide({ shared: true });
  const { streamWindowBytes } = await page.welcome();
  const closed = page.closed();
  // TCP takes some megabytes, then nothing is granted any more.
  for (let sent = 0; sent < 200; sent++) page.write(1, new Uint8Array(streamWindowBytes / 4));
  expect((await closed).code).toBe(4001);
});

test('a page that is refused gets its code, and nothing was connected to', async () => {
  const echo = await startEcho();
  const { url, decide, events } = await startUndecided(echo.port);
  const page = await TestPage.open({ url }, TOKEN);
  page.open(1, echo.port);
  page.write(1, 'secret');
  page.send(encodeEnd(1));
  await sleep(50);
  const closed = page.closed();
  decide({ refused: 'expired' });
  expect(await closed).toEqual({ code: 4014, reason: '' });
  expect(echo.sockets).toHaveLength(0);
  await until(() => events.at(-1)?.type === 'closed');
});

test('a page that leaves while its token is judged leaves nothing behind', async () => {
  const echo = await startEcho();
  const { url, decide, sessions, resources } = await startUndecided(echo.port);
  const page = await TestPage.open({ url }, TOKEN);
  page.open(1, echo.port);
  page.write(1, new Uint8Array(60_000));
  await until(() => (sessions[0]?.heldBytes ?? 0) >= 60_000);
  page.webSocket.terminate();
  await until(() => sessions[0]?.streams === 0);
  decide({ shared: true });
  await sleep(50);
  expect(resources.memory.heldBytes).toBe(0);
  expect(echo.sockets).toHaveLength(0);
});

test('a page whose token cannot be judged for an error is closed', async () => {
  const { url, decide } = await startUndecided(1);
  const page = await TestPage.open({ url }, TOKEN);
  const closed = page.closed();
  await sleep(50);
  decide(Promise.reject(new Error('no keys')));
  expect((await closed).code).toBe(4015);
});
