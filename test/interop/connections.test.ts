import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRelay } from '../../relay/src/index.js';
import {
  type BodyProgress,
  createClient,
  createWebSocketTunnel,
  type MtlsClient,
  type PoolOptions,
  type WebSocketTunnelOptions,
} from '../../src/index.js';
import { codeOf } from '../support/client.js';
import { documented } from '../support/documented.js';
import { engineModule } from '../support/engine.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { type NodeServer, startNodeServer, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { freePort, type RunningProgram, startProgram } from '../support/process.js';

const MIB = 1 << 20;
const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
let relayPort: number;
let relay: RunningProgram;
let client: MtlsClient;

interface Transfer {
  from: ReadableStream<Uint8Array>;
  show(direction: string, progress: BodyProgress): void;
}

interface Example {
  transfer(client: MtlsClient, url: string, how: Transfer): AsyncGenerator<Uint8Array>;
}

/** The relay as a process of its own, always at the same port: what kills and freezes it leaves the test alone. */
async function startRelay(): Promise<void> {
  const listen = ['--listen', `127.0.0.1:${relayPort}`, '--allow', 'localhost:*', '--origin', '*'];
  relay = startProgram(process.execPath, ['relay/dist/cli.js', ...listen]);
  await relay.waitFor(/ws:\/\/\S+/);
}

async function useClient(pool: PoolOptions = {}, tunnel: WebSocketTunnelOptions = {}): Promise<void> {
  client = await createClient({
    tunnel: createWebSocketTunnel(`ws://127.0.0.1:${relayPort}/`, tunnel),
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
    pool,
  });
}

const SECRET = Buffer.alloc(32, 7);

/** A JSON Web Token of that secret; `exp` in seconds since 1970. */
function tokenUntil(exp: number): string {
  const parts = [{ alg: 'HS256' }, { iss: 'issuer', aud: 'relay', sub: 'ann', exp }];
  const signed = parts.map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

beforeAll(async () => {
  relayPort = await freePort();
  await startRelay();
});

afterEach(() => client?.close());

afterAll(async () => {
  await relay?.stop();
  pki.close();
});

describe.each([
  ['h2', true],
  ['http/1.1', false],
] as const)('over %s', (_name, http2) => {
  describe('nginx that is told to read its configuration again', () => {
    let backend: NodeServer;
    let nginx: Nginx;

    beforeAll(async () => {
      backend = await startPlainServer();
      const settings = {
        server,
        tls: 'TLSv1.3' as const,
        http2,
        clientCa: pki.ca.cert,
        verifyClient: 'off' as const,
      };
      nginx = await startNginx([settings], { backendPort: backend.port, master: true });
    });

    afterAll(async () => {
      await nginx?.stop();
      await backend?.stop();
    });

    test('fails no request, neither running nor new, and is sent none twice', async () => {
      await useClient();
      const url = `https://localhost:${nginx.ports[0]}/backend`;
      await (await client.fetch(`${url}/`)).text();
      const running = await client.fetch(`${url}/bytes?size=${32 * MIB}`);
      const reader = running.body?.getReader();
      await reader?.read();
      // Over HTTP/1.1 an end of an idle connection may cross with a request, and nobody says which came first.
      const method = http2 ? 'POST' : 'PUT';
      let sent = 0;
      const answered: number[] = [];
      for (let round = 0; round < 3; round++) {
        const busy = Array.from({ length: 12 }, async (_, at) => {
          await delay(at * 15);
          sent++;
          const response = await client.fetch(`${url}/sum`, { method, body: `body ${at}` });
          answered.push((await response.json()).length);
        });
        await delay(40);
        nginx.reload();
        await Promise.all(busy);
      }
      expect(answered).toHaveLength(sent);
      expect(backend.requests('/sum')).toBe(sent);
      let bytes = 0;
      while (
        !(await reader?.read().then(({ done, value = new Uint8Array(0) }) => {
          bytes += value.length;
          return done;
        }))
      );
      expect(bytes).toBeGreaterThan(31 * MIB);
    });
  });

  describe('a relay', () => {
    let target: NodeServer;

    beforeAll(async () => {
      target = await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 });
    });

    afterAll(() => target?.stop());

    const urlOf = (path: string) => `https://localhost:${target.port}${path}`;

    test('carries the example of the documentation', async () => {
      const { transfer } = await documented<Example>('docs/connections.md', 'transfer');
      await useClient();
      const last: Record<string, BodyProgress> = {};
      const show = (direction: string, progress: BodyProgress) => {
        last[direction] = progress;
      };
      const from = new Blob([new Uint8Array(3 * MIB)]).stream();
      let bytes = 0;
      for await (const piece of transfer(client, urlOf('/echo'), { from, show })) bytes += piece.length;
      expect(bytes).toBe(3 * MIB);
      expect(last).toEqual({ up: { bytes }, down: { bytes } });
      const nowhere = transfer(client, urlOf('/nowhere'), { from: new Blob(['x']).stream(), show });
      await expect(nowhere.next()).rejects.toThrow('the server answered 404');
    });

    test('that is killed and comes back: what may be repeated is, a POST is not', async () => {
      await useClient({ reconnectAttempts: 10 });
      await (await client.fetch(urlOf('/'))).text();
      const reading = await client.fetch(urlOf(`/bytes?size=${64 * MIB}`));
      const body = codeOf(reading.arrayBuffer());
      const posting = codeOf(client.fetch(urlOf('/wait'), { method: 'POST', body: 'once' }));
      await target.asked('/wait', 1);
      await relay.stop('SIGKILL');
      const codes = [await body, await posting];
      expect(codes.every(code => /^ERR_(TUNNEL_CLOSED|TLS_TRUNCATED)$/.test(code))).toBe(true);
      const get = client.fetch(urlOf('/'));
      const post = codeOf(client.fetch(urlOf('/sum'), { method: 'POST', body: 'x' }));
      await delay(150);
      await startRelay();
      expect((await get).status).toBe(200);
      expect(await post).toBe('ERR_TUNNEL_UNREACHABLE');
      expect(target.requests('/wait')).toBe(1);
    });

    test('that is killed while a GET waits: it is sent again', async () => {
      await useClient({ reconnectAttempts: 10 });
      await (await client.fetch(urlOf('/'))).text();
      const before = target.requests('/wait');
      const waiting = client.fetch(urlOf('/wait?ms=1500'));
      await target.asked('/wait', before + 1);
      await relay.stop('SIGKILL');
      await startRelay();
      expect((await waiting).status).toBe(200);
      expect(target.requests('/wait')).toBe(before + 2);
    });

    // One connection carries both requests, so that each finds it open.
    test.runIf(http2)(
      'whose token expires: a GET that waits goes on with another token, a POST fails',
      async () => {
        const nowMs = Date.now();
        const exp = Math.floor(nowMs / 1000) + 2;
        // So that the token lives for 2.5 seconds, wherever in a second this began.
        const clockToleranceMs = (nowMs % 1000) + 500;
        const jwt = { issuer: 'issuer', audience: 'relay', secret: SECRET, clockToleranceMs };
        const own = await createRelay({ allow: ['localhost:*'], origins: ['*'], jwt });
        onTestFinished(() => own.close());
        const tokens = [tokenUntil(exp)];
        client = await createClient({
          tunnel: own.url,
          tunnelToken: () => tokens.shift() ?? tokenUntil(exp + 600),
          trust: { anchors: [pki.ca.cert] },
          engine: engineModule(),
        });
        await (await client.fetch(urlOf('/'))).text();
        const before = target.requests('/wait');
        const getting = client.fetch(urlOf('/wait?ms=2500'));
        await target.asked('/wait', before + 1);
        const posting = codeOf(client.fetch(urlOf('/wait'), { method: 'POST', body: 'once' }));
        await target.asked('/wait', before + 2);
        expect(await posting).toMatch(/^ERR_(TUNNEL_CLOSED|TLS_TRUNCATED)$/);
        expect((await getting).status).toBe(200);
        expect(target.requests('/wait')).toBe(before + 3);
      },
    );

    test.each([
      ['tunnel', {}, { keepAliveIntervalMs: 1_000, keepAliveTimeoutMs: 1_000 }, 'ERR_TUNNEL_CLOSED'] as const,
      // Over HTTP/1.1 nothing can be asked while an answer is owed.
      ...(http2
        ? [['connection', { pingIntervalMs: 1_000, pingTimeoutMs: 1_000 }, {}, 'ERR_HTTP_TIMEOUT'] as const]
        : []),
    ])('that freezes is noticed by a ping of the %s', async (_of, pool, tunnel, code) => {
      await useClient(pool, tunnel);
      await (await client.fetch(urlOf('/'))).text();
      const before = target.requests('/wait');
      const posting = codeOf(client.fetch(urlOf('/wait'), { method: 'POST', body: 'once' }));
      await target.asked('/wait', before + 1);
      process.kill(relay.pid, 'SIGSTOP');
      try {
        expect(await posting).toBe(code);
      } finally {
        process.kill(relay.pid, 'SIGCONT');
      }
      expect((await client.fetch(urlOf('/'))).status).toBe(200);
      expect(target.requests('/wait')).toBe(before + 1);
    });
  });
});
