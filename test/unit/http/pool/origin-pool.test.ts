import { beforeEach, describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import {
  client,
  rejection,
  serve,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

let tested: TestClient;
let server: TestServer;

describe('the pool', () => {
  beforeEach(async () => {
    server = await serve('http/1.1', (request, response) => {
      request.resume();
      setTimeout(() => response.end('ok'), 10);
    });
  });

  it('opens six http/1.1 connections at most, and then waits', async () => {
    tested = await client('http/1.1');
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, server.sockets.size);
    }, 1);
    await Promise.all(Array.from({ length: 30 }, async () => (await tested.fetch(url(server))).text()));
    clearInterval(watch);
    expect(most).toBe(6);
    expect(tested.connects.count).toBe(6);
  });

  it('frees a connection although nobody reads its small response', async () => {
    tested = await client('http/1.1', { maxConnectionsPerOrigin: 1 });
    for (let i = 0; i < 5; i++) expect((await tested.fetch(url(server))).status).toBe(200);
    expect(tested.connects.count).toBe(1);
  });

  it('closes what is idle', async () => {
    tested = await client('http/1.1', { idleTimeoutMs: 50 });
    await (await tested.fetch(url(server))).text();
    expect(server.sockets.size).toBe(1);
    await until(() => server.sockets.size === 0 && tested.engine.openCount === 0);
    expect((await tested.fetch(url(server))).status).toBe(200);
  });

  it('fails every waiting request when no connection can be made, and tries again for the next', async () => {
    tested = await client('http/1.1');
    tested.connects.failWith = new MtlsError('ERR_TLS_CERT_UNTRUSTED', 'not trusted');
    const failures = await Promise.all(
      Array.from({ length: 20 }, () => rejection(tested.fetch(url(server)))),
    );
    expect(new Set(failures.map(it => it.code))).toEqual(new Set(['ERR_TLS_CERT_UNTRUSTED']));
    expect(tested.connects.count).toBe(1);
    tested.connects.failWith = undefined;
    expect((await tested.fetch(url(server))).status).toBe(200);
  });

  it('gives up a connection in the making when nobody waits for it any more', async () => {
    tested = await client('http/1.1');
    tested.connects.delayMs = 30;
    const [first, second] = [new AbortController(), new AbortController()];
    const gone = rejection(tested.fetch(url(server), { signal: first.signal }));
    const stays = tested.fetch(url(server), { signal: second.signal });
    first.abort();
    expect((await gone).name).toBe('AbortError');
    expect((await stays).status).toBe(200);
    expect(tested.connects.count).toBe(1);
  });

  it('closing lets what runs end, and then refuses', async () => {
    tested = await client('http/1.1');
    const running = tested.fetch(url(server));
    await until(() => server.sockets.size === 1);
    await sleep(2);
    tested.pool.close();
    expect(await (await running).text()).toBe('ok');
    expect((await rejection(tested.fetch(url(server)))).code).toBe('ERR_CLIENT_CLOSED');
    await until(() => server.sockets.size === 0);
  });

  it('destroying ends what runs', async () => {
    tested = await client('http/1.1');
    await (await tested.fetch(url(server))).text();
    const running = rejection(tested.fetch(url(server)));
    tested.pool.destroy();
    expect((await running).code).toBe('ERR_CLIENT_CLOSED');
    await until(() => server.sockets.size === 0);
  });
});

describe('a request', () => {
  beforeEach(async () => {
    server = await serve('http/1.1', (request, response) => {
      if (request.url !== '/poll') response.end('ok');
    });
    tested = await client('http/1.1');
    for (let i = 0; i < 10; i++) await (await tested.fetch(url(server))).text();
    expect(tested.connects.count).toBe(1);
  });

  it('does not wait behind one that was just sent and gets no answer', async () => {
    void rejection(tested.fetch(url(server, '/poll')));
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBe(2);
    tested.pool.destroy();
  });

  it('gets a connection at once where one has waited for an answer for a while', async () => {
    void rejection(tested.fetch(url(server, '/poll')));
    await sleep(30);
    const answer = tested.fetch(url(server));
    // No timer has had its turn.
    await Promise.resolve();
    await new Promise(resolve => setImmediate(resolve));
    expect(tested.connects.count).toBe(2);
    expect((await answer).status).toBe(200);
    tested.pool.destroy();
  });
});
