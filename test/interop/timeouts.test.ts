import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { startUnanswering } from '../../relay/test/support/harness.js';
import { createClient, type MtlsClient, type PoolOptions } from '../../src/index.js';
import { startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const TIMEOUT_MS = 700;

const pki = new OpensslPki('Test CA');
/** Takes connections, and never says a word. */
const mute: Server = createServer(socket => {
  muteSockets.add(socket);
  socket.resume();
  socket.on('error', () => {});
  socket.on('close', () => muteSockets.delete(socket));
});
const muteSockets = new Set<Socket>();
const targets: NodeServer[] = [];
let relay: Relay;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  await once(mute.listen(0, '127.0.0.1'), 'listening');
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false]) {
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 }));
  }
});

afterEach(async () => {
  await client?.close();
  for (const endMs = Date.now() + 10_000; relay.streams > 0 && Date.now() < endMs; ) await delay(20);
});

afterAll(async () => {
  await relay?.close();
  for (const target of targets) await target.stop();
  mute.close();
  for (const socket of muteSockets) socket.destroy();
  pki.close();
});

const mutePort = () => (mute.address() as AddressInfo).port;

async function useClient(
  options: { tunnel?: string; pool?: PoolOptions; asking?: boolean } = {},
): Promise<void> {
  client = await createClient({
    tunnel: options.tunnel ?? relay.url,
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
    ...(options.pool && { pool: options.pool }),
    ...(options.asking && { onChallenge: () => new Promise<never>(() => {}) }),
  });
}

/** It rejects with the reason of its own timeout, whatever it was waiting for. */
async function timesOut(address: string, init: RequestInit = {}): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const whole = async () => (await client.fetch(address, { ...init, signal })).text();
  const failure = await whole().then(
    () => 'no failure',
    (error: unknown) => error,
  );
  expect(failure).toBe(signal.reason);
  expect(signal.reason.name).toBe('TimeoutError');
}

const atServers = () => muteSockets.size + targets.reduce((sum, it) => sum + it.openConnections(), 0);

/** What the client leaves at the relay, and the relay at the servers. */
async function idle(streams: number, { servers = streams } = {}): Promise<void> {
  const isSo = () => relay.streams === streams && atServers() === servers;
  for (const endMs = performance.now() + 10_000; !isSo(); await delay(20)) {
    if (performance.now() > endMs)
      throw new Error(`${relay.streams} streams at the relay, ${atServers()} beyond it`);
  }
}

describe('AbortSignal.timeout ends a request', () => {
  test('while the relay does not answer', async () => {
    await useClient({ tunnel: `ws://127.0.0.1:${mutePort()}/` });
    await timesOut('https://localhost/');
    // The WebSocket that is being opened is the client's: the next request would wait for it as well.
    await idle(0, { servers: 1 });
    await client.close();
    await idle(0);
  });

  test('while the server does not accept', async () => {
    const port = await startUnanswering();
    await useClient();
    await timesOut(`https://127.0.0.1:${port}/`);
    await idle(0);
  });

  test('while the server does not take part in the handshake', async () => {
    await useClient();
    await timesOut(`https://127.0.0.1:${mutePort()}/`);
    await idle(0);
  });

  test('while a person does not answer', async () => {
    await useClient({ asking: true });
    await timesOut(`https://localhost:${targets[0]?.port}/`);
    await idle(0);
  });

  describe.each([
    ['h2', 0, 1],
    ['http/1.1', 1, 0],
  ] as const)('over %s', (_protocol, index, left) => {
    /** With a connection, so that a slow handshake is not what is waited for. */
    const useConnected = async (pool?: PoolOptions) => {
      await useClient(pool && { pool });
      await (await client.fetch(urlOf('/'))).text();
    };
    const urlOf = (path: string) => `https://localhost:${targets[index]?.port}${path}`;

    test('while the head does not come', async () => {
      await useConnected();
      await timesOut(urlOf('/wait'));
      await idle(left);
    });

    test('while the body stays away', async () => {
      await useConnected();
      const body = new ReadableStream<Uint8Array>({
        start: controller => controller.enqueue(new Uint8Array(1_000)),
      });
      await timesOut(urlOf('/echo'), { method: 'POST', body });
      await idle(left);
    });

    test('while it has no place', async () => {
      await useConnected({ maxConnectionsPerOrigin: 1 });
      const holding = new AbortController();
      const held = Array.from({ length: index === 0 ? 64 : 1 }, () =>
        client.fetch(urlOf('/wait'), { signal: holding.signal }).catch((error: unknown) => error),
      );
      const before = targets[index]?.requests('/sum');
      await timesOut(urlOf('/sum'), { method: 'POST', body: 'x' });
      expect(targets[index]?.requests('/sum')).toBe(before);
      holding.abort('enough');
      expect(new Set(await Promise.all(held))).toEqual(new Set(['enough']));
      await idle(left);
      expect((await client.fetch(urlOf('/'))).status).toBe(200);
    });

    // The last one, because a server that reads nothing does not notice the end either.
    test('while the server does not read the body', async () => {
      await useConnected();
      const body = new ReadableStream<Uint8Array>({
        pull: controller => controller.enqueue(new Uint8Array(65_536)),
      });
      await timesOut(urlOf('/wait'), { method: 'POST', body });
      await idle(left, { servers: 1 });
    });
  });
});
