import { describe, expect, it } from 'vitest';
import { client, rejection, serve, sleep, until, url } from '../support/servers.js';

describe.each(['h2', 'http/1.1'] as const)('a connection over %s that is made ahead', protocol => {
  it('is the one that the next request takes, and is not made twice', async () => {
    const server = await serve(protocol, (_request, response) => void response.end('ok'));
    const tested = await client(protocol);
    const ahead = () => tested.pool.preconnect(new URL(url(server)));
    await Promise.all([ahead(), ahead()]);
    await ahead();
    expect(tested.connects.count).toBe(1);
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBe(1);
  });

  it('serves a request that comes while it is being made', async () => {
    const server = await serve(protocol, (_request, response) => void response.end('ok'));
    const tested = await client(protocol);
    await (await tested.fetch(url(server))).text();
    tested.pool.closeIdle();
    tested.connects.delayMs = 50;
    const ahead = tested.pool.preconnect(new URL(url(server)));
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    await ahead;
    expect(tested.connects.count).toBe(2);
  });

  it('is closed when nobody uses it', async () => {
    const server = await serve(protocol, (_request, response) => void response.end('ok'));
    const tested = await client(protocol, { idleTimeoutMs: 100 });
    await tested.pool.preconnect(new URL(url(server)));
    expect(tested.connects.open).toBe(1);
    await until(() => tested.connects.open === 0);
  });

  it('is given up by an abort, and fails as connecting does', async () => {
    const server = await serve(protocol, (_request, response) => void response.end('ok'));
    const tested = await client(protocol);
    tested.connects.delayMs = 50;
    const aborting = new AbortController();
    const aborted = rejection(tested.pool.preconnect(new URL(url(server)), aborting.signal));
    aborting.abort('enough');
    expect(await aborted).toBe('enough');
    await sleep(100);
    expect(tested.connects.open).toBe(0);
    tested.connects.failWith = new Error('no way');
    expect(await rejection(tested.pool.preconnect(new URL(url(server))))).toBe(tested.connects.failWith);
    tested.connects.failWith = undefined;
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
  });
});
