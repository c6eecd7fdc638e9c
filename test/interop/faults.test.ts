import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRelay, type Relay } from '../../relay/src/index.js';
import { createClient, createWebSocketTunnel, type MtlsClient } from '../../src/index.js';
import { codeOf, identityOf } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type Cut, type Faults, type Path, startFaultProxy } from '../support/fault-proxy/start.mjs';
import { type NodeServer, patternOf, sha256, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const DOWN_BYTES = 200_000;
const upload = patternOf(200_000);
/** None of the timeouts below: whoever waits for so long hangs. */
const PATIENCE_MS = 15_000;
const CHECK_MS = 1_000;

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const alice = pki.issue({ subject: '/CN=Alice', usage: 'clientAuth' });
const targets: NodeServer[] = [];
const toServers: Awaited<ReturnType<typeof startFaultProxy>>[] = [];
let relay: Relay;
let toRelay: Awaited<ReturnType<typeof startFaultProxy>>;
let client: MtlsClient | undefined;

beforeAll(async () => {
  for (const http2 of [true, false]) {
    const target = await startNodeServer({ server, clientCa: pki.ca.cert, http2 });
    targets.push(target);
    toServers.push(await startFaultProxy(target.port));
  }
  relay = await createRelay({ allow: ['localhost:*'], origins: ['*'] });
  toRelay = await startFaultProxy(Number(new URL(relay.url).port));
});

afterEach(async () => {
  await client?.close();
  for (const proxy of [toRelay, ...toServers]) {
    await proxy.set({});
    await proxy.cutAll('rst');
  }
});

afterAll(async () => {
  for (const proxy of [toRelay, ...toServers]) await proxy?.stop();
  await relay?.close();
  for (const target of targets) await target.stop();
  pki.close();
});

async function newClient(): Promise<MtlsClient> {
  const tunnel = createWebSocketTunnel(`ws://127.0.0.1:${toRelay.port}/`, {
    openTimeoutMs: CHECK_MS,
    keepAliveIntervalMs: CHECK_MS,
    keepAliveTimeoutMs: CHECK_MS,
  });
  await client?.close();
  client = await createClient({
    tunnel,
    identities: [await identityOf(alice)],
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
    connectTimeoutMs: CHECK_MS,
    pool: { pingIntervalMs: CHECK_MS, pingTimeoutMs: CHECK_MS },
  });
  return client;
}

async function down(from: MtlsClient, origin: string): Promise<string> {
  const response = await from.fetch(`${origin}/bytes?size=${DOWN_BYTES}`);
  return sha256(new Uint8Array(await response.arrayBuffer()));
}

async function up(to: MtlsClient, origin: string): Promise<string> {
  const response = await to.fetch(`${origin}/sum`, { method: 'POST', body: upload });
  return ((await response.json()) as { sha256: string }).sha256;
}

/** A code, `whole`, or what must not be. */
async function outcomeOf(transfer: Promise<string>, expected: string): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hanging = new Promise<string>(resolve => {
    timer = setTimeout(() => resolve('hangs'), PATIENCE_MS);
  });
  const done = transfer.then(
    sum => (sum === expected ? 'whole' : 'other bytes'),
    (error: { code?: string }) => error.code ?? String(error),
  );
  const outcome = await Promise.race([done, hanging]);
  clearTimeout(timer);
  return outcome;
}

const both = (faults: Faults): Path => ({ toServer: faults, toClient: faults });

describe.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)('over %s', (protocol, index) => {
  const origin = () => `https://localhost:${toServers[index]?.port}`;
  const harm = (where: string, path: Path) =>
    (where === 'page and relay' ? toRelay : toServers[index])?.set(path);
  const transfers = (by: MtlsClient) =>
    Promise.all([
      outcomeOf(down(by, origin()), sha256(patternOf(DOWN_BYTES))),
      outcomeOf(up(by, origin()), sha256(upload)),
    ]);

  describe.each(['page and relay', 'relay and server'])('between %s', where => {
    test.each<[string, Faults]>([
      ['latency and jitter', { delayMs: 10, jitterMs: 30 }],
      ['loss', { delayMs: 5, lossRate: 0.02, recoveryMs: 50 }],
      ['a slow path', { bytesPerSecond: 400_000, queueBytes: 65_536 }],
      ['pieces of 50 bytes', { pieceBytes: 50 }],
    ])('%s changes no byte', async (_name, faults) => {
      await harm(where, both(faults));
      expect(await transfers(await newClient())).toEqual(['whole', 'whole']);
    });

    test('single bytes are put together', async () => {
      await harm(where, both({ pieceBytes: 1 }));
      const response = await (await newClient()).fetch(`${origin()}/bytes?size=3000`);
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(patternOf(3000));
    });

    describe.each<Cut>(['fin', 'half-fin', 'rst'])('a cut by %s', how => {
      test.each(['toServer', 'toClient'] as const)('of bytes %s leaves nothing short', async direction => {
        const others: [number, string][] = [];
        let failures = 0;
        for (const afterBytes of CUTS) {
          await harm(where, { [direction]: { cut: { afterBytes, how } } });
          for (const outcome of await transfers(await newClient())) {
            if (outcome !== 'whole') failures++;
            if (!allowed(where).includes(outcome)) others.push([afterBytes, outcome]);
          }
        }
        expect(others).toEqual([]);
        expect(failures).toBeGreaterThan(CUTS.length / 2);
      });
    });
  });

  test('a relay that takes connections and says nothing is told by ERR_TUNNEL_UNREACHABLE', async () => {
    await harm('page and relay', { toClient: { silentAfterBytes: 0 } });
    expect(await codeOf(down(await newClient(), origin()))).toBe('ERR_TUNNEL_UNREACHABLE');
  });

  test('a server that takes connections and says nothing is told by ERR_TLS_TIMEOUT', async () => {
    await harm('relay and server', { toClient: { silentAfterBytes: 0 } });
    expect(await codeOf(down(await newClient(), origin()))).toBe('ERR_TLS_TIMEOUT');
  });

  test.each(['toServer', 'toClient'] as const)(
    'a way to the relay that falls silent %s is told by ERR_TUNNEL_CLOSED',
    async direction => {
      await harm('page and relay', { [direction]: { silentAfterBytes: 30_000 } });
      const outcomes = await transfers(await newClient());
      expect(outcomes).toContain('ERR_TUNNEL_CLOSED');
      expect(['ERR_TUNNEL_CLOSED', 'whole']).toEqual(expect.arrayContaining(outcomes));
    },
  );

  // HTTP/1.1 has no ping.
  test.runIf(protocol === 'h2')(
    'a way to the server that falls silent in a response is noticed',
    async () => {
      await harm('relay and server', { toClient: { silentAfterBytes: 30_000 } });
      expect(await codeOf(down(await newClient(), origin()))).toBe('ERR_HTTP_TIMEOUT');
    },
  );
});

/** In each step: the upgrade, the TLS handshake, the request, the response's head and its body. */
const CUTS = [0, 1, 100, 400, 700, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 20_000, 100_000, 150_000];

/** What a cut may lead to, by its place. */
function allowed(where: string): string[] {
  const page = ['whole', 'ERR_TUNNEL_CLOSED', 'ERR_TUNNEL_UNREACHABLE'];
  const beyond = ['whole', 'ERR_TUNNEL_RESET', 'ERR_TLS_TRUNCATED', 'ERR_HTTP_CLOSED', 'ERR_HTTP_TRUNCATED'];
  // A server that hangs up behind a certificate, without a word, is taken to refuse it.
  return where === 'page and relay' ? page : [...beyond, 'ERR_TLS_CLIENT_CERT_REJECTED'];
}
