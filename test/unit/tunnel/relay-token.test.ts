import { expect, test } from 'vitest';
import type { WebSocketTunnelOptions } from '../../../src/tunnel/websocket-tunnel.js';
import { openStream, openTunnel, sleep, startScriptedRelay } from './support/scripted-relay.js';

test('a function is asked for each WebSocket anew, and once for those who wait together', async () => {
  const { url, pages, page } = await startScriptedRelay();
  let asked = 0;
  const token = async () => {
    await sleep(20);
    return `token ${++asked}`;
  };
  const tunnel = openTunnel(url, { token });
  await Promise.all([openStream(tunnel), openStream(tunnel)]);
  await openStream(tunnel);
  await expect.poll(() => pages.map(each => each.of('hello')[0]?.token)).toEqual(['token 1']);
  page().webSocket.close(4014);
  await expect.poll(() => page().closeCode).toBe(4014);
  await openStream(tunnel);
  await expect.poll(() => pages.map(each => each.of('hello')[0]?.token)).toEqual(['token 1', 'token 2']);
});

test.each<[string, WebSocketTunnelOptions['token'], boolean, string]>([
  ['a function', () => 'token', true, 'ERR_TUNNEL_CLOSED'],
  ['one token', 'token', true, 'ERR_TUNNEL_AUTH'],
  ['a function that gives an expired one', () => 'token', false, 'ERR_TUNNEL_AUTH'],
])('a token that expires, of %s', async (_name, token, admits, code) => {
  const { url, page } = await startScriptedRelay((frame, page) => {
    if (frame.type === 'hello' && admits) page.welcome({ maxStreams: 1 });
    if (frame.type === 'hello' && !admits) page.webSocket.close(4014);
  });
  const tunnel = openTunnel(url, { token: token ?? '' });
  const { reader } = await openStream(tunnel);
  const failed = expect(reader.read()).rejects.toMatchObject({ code });
  if (admits) {
    await expect.poll(() => page().of('pong').length + page().of('ping').length).toBeGreaterThan(0);
    // A stream that waits for a place was not begun.
    const waiting = openStream(tunnel).then(
      () => 'opened',
      error => error.code,
    );
    await sleep(20);
    page().webSocket.close(4014);
    expect(await waiting).toBe(code === 'ERR_TUNNEL_CLOSED' ? 'opened' : code);
  }
  await failed;
});

test.each<[string, () => string | Promise<string>, string]>([
  ['throws', () => Promise.reject(new Error('signed out')), 'threw an error'],
  ['throws at once', JSON.parse.bind(undefined, '{'), 'threw an error'],
  ['gives a number', () => 7 as never, 'must give a string'],
  ['gives too much', () => 'x'.repeat(4097), 'must give a string of at most 4096 bytes'],
  ['never answers', () => new Promise(() => {}), 'in time (openTimeoutMs)'],
])('a function that %s fails the connection, and is asked again by the next', async (_name, bad, message) => {
  const { url, pages } = await startScriptedRelay();
  let isBad = true;
  const token = () => (isBad ? bad() : 'good');
  const tunnel = openTunnel(url, { token, connectAt: 'first-use', openTimeoutMs: 300 });
  await expect(openStream(tunnel)).rejects.toMatchObject({
    code: 'ERR_TUNNEL_AUTH',
    message: expect.stringContaining(message),
  });
  expect(pages).toHaveLength(0);
  isBad = false;
  await openStream(tunnel);
  await expect.poll(() => pages[0]?.of('hello')).toMatchObject([{ token: 'good' }]);
});

test('who waits for a token can leave', async () => {
  const { url, pages } = await startScriptedRelay();
  let tell = (_token: string) => {};
  const token = () =>
    new Promise<string>(resolve => {
      tell = resolve;
    });
  const tunnel = openTunnel(url, { token, connectAt: 'first-use' });
  await expect(openStream(tunnel, AbortSignal.timeout(20))).rejects.toMatchObject({ name: 'TimeoutError' });
  tell('late');
  await sleep(100);
  expect(pages.map(each => each.closeCode)).not.toContain(undefined);
});

test('a tunnel that is closed while it waits for a token leaves no WebSocket', async () => {
  const { url, pages } = await startScriptedRelay();
  let tell = (_token: string) => {};
  const token = () =>
    new Promise<string>(resolve => {
      tell = resolve;
    });
  const tunnel = openTunnel(url, { token });
  tunnel.close();
  tell('late');
  await sleep(100);
  expect(pages.map(each => each.closeCode)).not.toContain(undefined);
});

test.each([['x'.repeat(4097)], [7], [null]])('%j is a TypeError', token => {
  expect(() => openTunnel('ws://relay.test', { token: token as never })).toThrow('"token"');
});
