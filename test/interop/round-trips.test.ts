import { once } from 'node:events';
import { createServer as createHttpsServer, request } from 'node:https';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createRelay, type Relay } from '../../relay/src/index.js';
import { createClient, createWebSocketTunnel, type MtlsClient } from '../../src/index.js';
import { identityOf } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { distance, startFaultProxy } from '../support/fault-proxy/start.mjs';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

/** Long beside all that is computed on the way, so that whole round trips can be told apart. */
const ROUND_TRIP_MS = 200;
/** A busy machine can add round trips, and takes none away: one run in three with the right numbers shows them. */
const RETRIES = { retry: 2 };

const pki = new OpensslPki('Test CA');
const server = pki.issue({
  subject: '/CN=localhost',
  altNames: 'DNS:localhost,IP:127.0.0.1',
  usage: 'serverAuth',
});
const alice = pki.issue({ subject: '/CN=Alice', usage: 'clientAuth' });
const wssServer = createHttpsServer(server);
const targets: NodeServer[] = [];
const relays: Relay[] = [];
const proxies: Awaited<ReturnType<typeof startFaultProxy>>[] = [];
let client: MtlsClient | undefined;

class TrustingWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { ca: pki.ca.cert });
  }
}

async function farAway(port: number): Promise<number> {
  const proxy = await startFaultProxy(port, distance(ROUND_TRIP_MS));
  proxies.push(proxy);
  return proxy.port;
}

beforeAll(async () => {
  for (const http2 of [true, false])
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, http2 }));
  await once(wssServer.listen(0, '127.0.0.1'), 'listening');
  const policy = { allow: ['localhost:*', '127.0.0.1:*'], origins: ['*'] };
  relays.push(await createRelay(policy), await createRelay({ ...policy, server: wssServer }));
});

afterEach(async () => {
  await client?.close();
  for (const proxy of proxies.splice(0)) await proxy.stop();
});

afterAll(async () => {
  for (const relay of relays) await relay.close();
  wssServer.close();
  for (const target of targets) await target.stop();
  pki.close();
});

/** Whole round trips until `act` resolves. */
async function roundTrips(act: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await act();
  return Math.floor((performance.now() - startMs) / ROUND_TRIP_MS);
}

async function clientBy(
  scheme: 'ws' | 'wss',
  connectAt: 'creation' | 'first-use' = 'first-use',
): Promise<MtlsClient> {
  const port = await farAway(Number(new URL(relays[scheme === 'ws' ? 0 : 1]?.url ?? '').port));
  const tunnel = createWebSocketTunnel(`${scheme}://127.0.0.1:${port}/`, {
    connectAt,
    WebSocket: TrustingWebSocket as unknown as typeof globalThis.WebSocket,
  });
  client = await createClient({
    tunnel,
    identities: [await identityOf(alice)],
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
  return client;
}

/** As many as the same server costs without a relay. */
function nodesOwn(port: number): Promise<number> {
  return roundTrips(async () => {
    const options = { ca: pki.ca.cert, cert: alice.cert, key: alice.key, agent: false };
    const asked = request(`https://localhost:${port}/`, { ...options, family: 4 }).end();
    const [response] = await once(asked, 'response');
    response.resume();
  });
}

describe.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)('over %s', (protocol, index) => {
  const port = () => targets[index]?.port ?? 0;
  const urlOf = (path = '/', host = 'localhost') => `https://${host}:${port()}${path}`;

  test.each([
    ['ws', 1],
    ['wss', 2],
  ] as const)(
    "by %s the first connection takes %i round trips more than Node's own, each further one takes one less",
    RETRIES,
    async (scheme, more) => {
      const own = await nodesOwn(await farAway(port()));
      expect(own).toBe(3);
      const far = await clientBy(scheme);
      expect(await roundTrips(() => far.fetch(urlOf()))).toBe(own + more);
      expect(await roundTrips(() => far.fetch(urlOf()))).toBe(1);
      expect(await roundTrips(() => far.fetch(urlOf('/', '127.0.0.1')))).toBe(own - 1);

      if (protocol === 'http/1.1') {
        const busy = far.fetch(urlOf('/wait')).catch(() => {});
        let resumed = false;
        const further = await roundTrips(async () => {
          resumed = far.connectionInfo(await far.fetch(urlOf()))?.resumed ?? false;
        });
        expect([further, resumed]).toEqual([own - 1, true]);
        await far.close();
        await busy;
        return;
      }
      await far.forget('localhost');
      expect(await roundTrips(() => far.fetch(urlOf()))).toBe(own - 1);
    },
  );

  test('the first one does so too where the WebSocket was open', RETRIES, async () => {
    const far = await clientBy('wss', 'creation');
    await delay(6 * ROUND_TRIP_MS);
    expect(await roundTrips(() => far.fetch(urlOf()))).toBe(2);
  });
});
