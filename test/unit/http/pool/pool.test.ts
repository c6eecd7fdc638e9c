import http2 from 'node:http2';
import type net from 'node:net';
import { describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import {
  client,
  type Handler,
  listen,
  rejection,
  serve,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

const MIB = 1 << 20;

let tested: TestClient;
let server: TestServer;

/** Writes as long as somebody reads. */
const endless: Handler = (_request, response) => {
  const chunk = Buffer.alloc(64 * 1024);
  const more = () => {
    while (!response.destroyed) if (!response.write(chunk)) return void response.once('drain', more);
  };
  more();
};

describe('h2 responses that nobody reads', () => {
  const start = async () => {
    server = await serve('h2', (request, response) =>
      request.url === '/endless' ? endless(request, response) : void response.end('ok'),
    );
    tested = await client('h2');
  };
  const stall = (count: number) =>
    Promise.all(Array.from({ length: count }, () => tested.fetch(url(server, '/endless'))));
  /** The engine's memory once it does not grow any more. */
  const full = async () => {
    for (let before = 0; before !== tested.engine.memoryBytes; ) {
      before = tested.engine.memoryBytes;
      await sleep(500);
    }
    return tested.engine.memoryBytes;
  };

  it('do not stop others on their connection, and hold no more than their windows', {
    timeout: 60_000,
  }, async () => {
    await start();
    const stalled = await stall(50);
    expect(await full()).toBeLessThan(64 * MIB);
    for (let count = 0; count < 20; count++) {
      expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    }
    expect(tested.connects.count).toBe(1);
    // Slow is not lost.
    const [first, ...others] = stalled;
    const reader = (first as Response).body?.getReader();
    for (let bytes = 0; bytes < 8 * MIB; ) bytes += (await reader?.read())?.value?.length ?? Number.NaN;
    await reader?.cancel();
    await Promise.all(others.map(it => it.body?.cancel()));
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBe(1);
  });

  it('leave the others another connection when they fill theirs', { timeout: 60_000 }, async () => {
    await start();
    const stalled = await stall(64);
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBe(2);
    await Promise.all(stalled.map(it => it.body?.cancel()));
  });
});

describe("an h2 server's limit of streams", () => {
  it('is kept, with more connections and then with patience', async () => {
    let running = 0;
    let most = 0;
    const h2 = http2.createServer({ settings: { maxConcurrentStreams: 2 } }, (_request, response) => {
      most = Math.max(most, ++running);
      setTimeout(() => {
        running--;
        response.end('ok');
      }, 20);
    });
    server = await listen(h2 as unknown as net.Server);
    tested = await client('h2', { maxConnectionsPerOrigin: 3 });
    const answers = await Promise.all(
      Array.from({ length: 40 }, async () => (await tested.fetch(url(server), { method: 'POST' })).text()),
    );
    expect(answers).toEqual(Array.from({ length: 40 }, () => 'ok'));
    expect(tested.connects.count).toBeLessThanOrEqual(3);
    expect(most).toBeLessThanOrEqual(6);
  });
});

describe('a connection that cannot be made beside one that is busy', () => {
  const begin = async () => {
    let finish = () => {};
    server = await serve('http/1.1', (request, response) => {
      if (request.url !== '/slow') return void response.end('ok');
      response.write('begun');
      finish = () => response.end();
    });
    tested = await client('http/1.1');
    const slow = await tested.fetch(url(server, '/slow'));
    return async () => {
      finish();
      await slow.text();
    };
  };

  it.each(['ERR_TUNNEL_UNREACHABLE', 'ERR_TLS_TRUNCATED'] as const)(
    'is done without, where a limit may be the reason: %s',
    async code => {
      const finish = await begin();
      tested.connects.failWith = new MtlsError(code, 'no more');
      const waiting = tested.fetch(url(server));
      await until(() => tested.connects.count === 2);
      await finish();
      expect(await (await waiting).text()).toBe('ok');
      expect(tested.connects.count).toBe(2);
    },
  );

  it.each([new MtlsError('ERR_TLS_CERT_EXPIRED', 'over'), new Error('of a challenge handler')])(
    'fails the requests that wait for it for another reason: %s',
    async error => {
      const finish = await begin();
      tested.connects.failWith = error;
      const failures = await Promise.all([1, 2, 3].map(() => rejection(tested.fetch(url(server)))));
      for (const failure of failures) expect(failure.message).toBe(error.message);
      await finish();
    },
  );
});

describe('an origin that is away', () => {
  const away = new MtlsError('ERR_TUNNEL_UNREACHABLE', 'nobody there');
  const start = async (options = {}) => {
    server = await serve('h2', (_request, response) => void response.end('ok'));
    tested = await client('h2', options);
  };
  const known = async () => {
    await (await tested.fetch(url(server))).text();
    for (const socket of server.sockets) socket.destroy();
    await until(() => tested.engine.openCount === 0);
    tested.connects.failWith = away;
    tested.connects.count = 0;
  };

  it('is waited for a little by a GET, once it has been there', async () => {
    await start();
    await known();
    setTimeout(() => {
      tested.connects.failWith = undefined;
    }, 250);
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(tested.connects.count).toBeGreaterThan(1);
  });

  it('fails a GET in the end', async () => {
    await start({ reconnectAttempts: 2 });
    await known();
    expect((await rejection(tested.fetch(url(server)))).code).toBe('ERR_TUNNEL_UNREACHABLE');
    expect(tested.connects.count).toBe(3);
  });

  it('fails a POST, and whoever was never answered, at once', async () => {
    await start();
    tested.connects.failWith = away;
    expect((await rejection(tested.fetch(url(server)))).code).toBe('ERR_TUNNEL_UNREACHABLE');
    expect(tested.connects.count).toBe(1);
    tested.connects.failWith = undefined;
    await known();
    expect((await rejection(tested.fetch(url(server), { method: 'POST' }))).code).toBe(
      'ERR_TUNNEL_UNREACHABLE',
    );
    expect(tested.connects.count).toBe(1);
  });

  it('is not waited for after an abort', async () => {
    await start({ reconnectAttempts: 10 });
    await known();
    const controller = new AbortController();
    const fetching = rejection(tested.fetch(url(server), { signal: controller.signal }));
    await until(() => tested.connects.count === 2);
    controller.abort('enough');
    expect(await fetching).toBe('enough');
  });
});

describe('a connection over HTTP/1.1 without a request', () => {
  it.each([
    ['timeout=1', 0],
    ['max=100, timeout=1', 0],
    ['timeout=10', 1],
    ['max=1', 1],
  ])('is given up before the server does that says Keep-Alive: %s', async (keepAlive, kept) => {
    server = await serve('http/1.1', (_request, response) => {
      response.writeHead(200, { connection: 'keep-alive', 'keep-alive': keepAlive }).end('ok');
    });
    tested = await client('http/1.1');
    expect(await (await tested.fetch(url(server))).text()).toBe('ok');
    expect(server.sockets.size).toBe(1);
    await sleep(800);
    expect(server.sockets.size).toBe(kept);
  });
});
