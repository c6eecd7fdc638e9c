import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import {
  type Challenge,
  type ChallengeHandler,
  createClient,
  type Disposition,
  type Tunnel,
} from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp, tcpTunnel } from '../../support/tcp-tunnel.js';

afterEach(() => void vi.useRealTimers());

test('a server that takes the connection and says nothing is given up', async () => {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}).resume());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await createClient({ tunnel: tcpTunnel, engine: engineModule(), connectTimeoutMs: 1_000 });
  try {
    const { port } = server.address() as AddressInfo;
    await expect(client.fetch(`https://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'ERR_TLS_TIMEOUT',
    });
    expect(sockets).toHaveLength(1);
  } finally {
    await client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 31])('%s is no time', async connectTimeoutMs => {
  const client = createClient({ tunnel: tcpTunnel, engine: engineModule(), connectTimeoutMs });
  await expect(client).rejects.toThrow(
    new TypeError('"connectTimeoutMs" must be an integer from 1 to 2147483647'),
  );
});

/** A person's time. */
const TEN_MINUTES_MS = 10 * 60_000;

/** A client of a server that asks for a certificate, and whose CA is not known. */
async function scene(
  version: 'TLSv1.2' | 'TLSv1.3',
  { onChallenge, tunnel = tcpTunnel }: { onChallenge: ChallengeHandler; tunnel?: Tunnel },
) {
  const pki = new OpensslPki();
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const identity = await identityOf(pki.issue({ subject: '/CN=Ada' }));
  pki.close();
  const options = { ...pair, ca: pki.ca.cert, requestCert: true, minVersion: version, maxVersion: version };
  const server = createHttpsServer(options, (_, response) => void response.end('hello'));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = await createClient({
    tunnel,
    engine: engineModule(),
    identities: [identity],
    onChallenge,
  });
  const stop = async () => {
    vi.useRealTimers();
    await client.close();
    server.closeAllConnections();
    server.close();
  };
  // Only what the library sets is under the test's clock: Node's own timers are others.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  return { fetching: client.fetch(`https://localhost:${port}/`), stop };
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('the time of a handler is not the server’s, %s', async version => {
  const asked: string[] = [];
  const onChallenge = async ({ method }: Challenge): Promise<Disposition> => {
    asked.push(method);
    await vi.advanceTimersByTimeAsync(TEN_MINUTES_MS);
    if (method === 'client-certificate') return { disposition: 'default' };
    return { disposition: 'use-credential', credential: { trust: true } };
  };
  const { fetching, stop } = await scene(version, { onChallenge });
  try {
    expect(await (await fetching).text()).toBe('hello');
    expect(asked).toEqual(['server-trust', 'client-certificate']);
  } finally {
    await stop();
  }
});

// In TLS 1.3 the server has no part in the handshake behind the questions.
test('the time of a handler does not excuse a server that is silent behind it', async () => {
  let silent = false;
  const tunnel: Tunnel = {
    async connect({ port }) {
      const { readable, writable } = dialTcp(port);
      const reader = readable.getReader();
      const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
        const { done, value } = await reader.read();
        if (silent) return new Promise<void>(() => {});
        if (done) controller.close();
        else controller.enqueue(value);
      };
      return { readable: new ReadableStream({ pull }, { highWaterMark: 0 }), writable };
    },
  };
  const onChallenge = async ({ method }: Challenge): Promise<Disposition> => {
    await vi.advanceTimersByTimeAsync(TEN_MINUTES_MS);
    if (method === 'client-certificate') return { disposition: 'default' };
    silent = true;
    return { disposition: 'use-credential', credential: { trust: true } };
  };
  const { fetching, stop } = await scene('TLSv1.2', { onChallenge, tunnel });
  try {
    const outcome = expect(fetching).rejects.toMatchObject({ code: 'ERR_TLS_TIMEOUT' });
    await vi.waitUntil(() => silent && vi.getTimerCount() === 1, { timeout: 10_000 });
    await vi.advanceTimersByTimeAsync(30_000);
    await outcome;
  } finally {
    await stop();
  }
});
