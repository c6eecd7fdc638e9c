import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Challenge, ClientOptions, Disposition, Identity, MtlsClient } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';
import { Clients } from '../client/support/clients.js';

let pki: OpensslPki;
let serverPair: KeyPair;
let ada: Identity;
const servers: Server[] = [];
const clients = new Clients();

beforeAll(async () => {
  pki = new OpensslPki();
  serverPair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  ada = await identityOf(pki.issue({ subject: '/CN=Ada' }));
});
afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) {
    server.close();
    (server as unknown as { closeAllConnections(): void }).closeAllConnections();
  }
});
afterAll(() => pki.close());

/** Says who the client is; at `/slow`, only when `release` is called. */
async function listen() {
  const held: (() => void)[] = [];
  const options = { ...serverPair, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: false };
  const server = createServer(options, (request, response) => {
    const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
    const answer = () => response.end(CN ?? 'nobody');
    if (request.url === '/slow') held.push(answer);
    else answer();
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, url: `https://localhost:${port}/`, held };
}

const clientWith = (options: Partial<ClientOptions>) => clients.make(pki.ca.cert, options);

type Answer = (challenge: Challenge) => Disposition | Promise<Disposition>;

/** Asks as a dialog does that closes when it is needed no more: with what `closed` says, or the signal's reason. */
function dialogs(method: Challenge['method'], closed?: Disposition) {
  const open: { challenge: Challenge; answer(disposition: Disposition): void }[] = [];
  const onChallenge: Answer = challenge => {
    if (challenge.method !== method) return { disposition: 'default' };
    return new Promise((resolve, reject) => {
      open.push({ challenge, answer: resolve });
      const { signal } = challenge;
      signal.addEventListener('abort', () => (closed ? resolve(closed) : reject(signal.reason)));
    });
  };
  return { open, onChallenge };
}

const show = (persistence: 'none' | 'session'): Disposition => ({
  disposition: 'use-credential',
  credential: { identity: ada, persistence },
});

/** Each in its own way waits for a server, and can give up. */
const waiting: [name: string, wait: (client: MtlsClient, port: number) => () => unknown][] = [
  [
    'a request',
    (client, port) => {
      const controller = new AbortController();
      client.fetch(`https://localhost:${port}/`, { signal: controller.signal }).catch(() => {});
      return () => controller.abort();
    },
  ],
  [
    'a socket',
    (client, port) => {
      const socket = client.connect(`localhost:${port}`);
      return () => socket.close();
    },
  ],
  [
    'a WebSocket',
    (client, port) => {
      const socket = new client.WebSocket(`wss://localhost:${port}/`);
      return () => socket.close();
    },
  ],
];

describe.each(['client-certificate', 'server-trust'] as const)('the signal of a challenge %s', method => {
  it.each(waiting)('aborts when %s that waited alone is given up', async (_, wait) => {
    const { port } = await listen();
    const { open, onChallenge } = dialogs(method);
    const giveUp = wait(await clientWith({ onChallenge }), port);
    await expect.poll(() => open.length).toBe(1);
    expect(open[0]?.challenge.signal.aborted).toBe(false);
    giveUp();
    await expect.poll(() => open[0]?.challenge.signal.aborted).toBe(true);
    expect(open[0]?.challenge.signal.reason).toMatchObject({ name: 'AbortError' });
  });

  it('aborts with the last one that waits, not before', async () => {
    const { port } = await listen();
    const { open, onChallenge } = dialogs(method);
    let tunnels = 0;
    const client = await clientWith({
      onChallenge,
      tunnel: {
        connect: (...parameters) => {
          tunnels++;
          return tcpTunnel.connect(...parameters);
        },
      },
    });
    const leave = waiting.map(([, wait]) => wait(client, port));
    await expect.poll(() => [open.length, tunnels]).toEqual([1, 3]);
    const [first, second, third] = leave;
    const aborted = () => open[0]?.challenge.signal.aborted;
    third?.();
    first?.();
    // Another one that comes and goes.
    const [, again] = waiting[1] ?? [];
    const socket = again?.(client, port);
    await expect.poll(() => tunnels).toBe(4);
    socket?.();
    expect(aborted()).toBe(false);
    second?.();
    await expect.poll(aborted).toBe(true);
    expect(open).toHaveLength(1);
  });

  it('aborts with the client', async () => {
    const { url } = await listen();
    const { open, onChallenge } = dialogs(method);
    const client = await clientWith({ onChallenge });
    const code = client.fetch(url).catch((error: { code: string }) => error.code);
    await expect.poll(() => open.length).toBe(1);
    await client.close();
    expect(await code).toBe('ERR_CLIENT_CLOSED');
    await expect.poll(() => open[0]?.challenge.signal.aborted).toBe(true);
  });

  it.each([
    ['throws', undefined],
    ['is cancelled', { disposition: 'cancel' } as const],
  ])('leaves who comes later alone, where the dialog %s then: it is asked again', async (_, closed) => {
    const { url, port } = await listen();
    const { open, onChallenge } = dialogs(method, closed);
    const client = await clientWith({ onChallenge });
    const giveUp = waiting[0]?.[1](client, port);
    await expect.poll(() => open.length).toBe(1);
    giveUp?.();
    const response = client.fetch(url);
    await expect.poll(() => open.length).toBe(2);
    expect(open[1]?.challenge.signal.aborted).toBe(false);
    open[1]?.answer(
      method === 'client-certificate'
        ? show('session')
        : { disposition: 'use-credential', credential: { trust: true } },
    );
    expect(await (await response).text()).toBe(method === 'client-certificate' ? 'Ada' : 'nobody');
  });

  it('is silent once there is an answer', async () => {
    const { url } = await listen();
    const { open, onChallenge } = dialogs(method);
    const client = await clientWith({ onChallenge });
    const response = client.fetch(url);
    await expect.poll(() => open.length).toBe(1);
    open[0]?.answer({ disposition: 'default' });
    await (await response).text();
    await client.close();
    expect(open[0]?.challenge.signal.aborted).toBe(false);
  });
});

it('a question for another connection is taken back as well', async () => {
  const { url, held } = await listen();
  const { open, onChallenge } = dialogs('client-certificate');
  const client = await clientWith({ onChallenge });
  const first = client.fetch(`${url}slow`);
  await expect.poll(() => open.length).toBe(1);
  open[0]?.answer(show('none'));
  await expect.poll(() => held.length).toBe(1);
  // HTTP/1.1: the first connection is busy.
  const controller = new AbortController();
  const second = client.fetch(url, { signal: controller.signal });
  const givenUp = expect(second).rejects.toThrow('enough');
  await expect.poll(() => open.length).toBe(2);
  controller.abort(new Error('enough'));
  await givenUp;
  await expect.poll(() => open[1]?.challenge.signal.aborted).toBe(true);
  held[0]?.();
  expect(await (await first).text()).toBe('Ada');
});
