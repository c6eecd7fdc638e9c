import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, createClient } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp, tcpTunnel } from '../../support/tcp-tunnel.js';
import { Clients } from './support/clients.js';

/** What nearly every TCP segment has room for. */
const SEGMENT_BYTES = 1_400;

let pki: OpensslPki;
let pair: KeyPair;
const clients = new Clients();
const servers: { close(): void }[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});
afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function portOf(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const listen = (ecdhCurve?: string) =>
  portOf(
    createHttpsServer({ ...pair, ...(ecdhCurve && { ecdhCurve }) }, (_, response) => void response.end('in')),
  );

/** A device on the way that takes no ClientHello of more than one segment; `helloBytes` tells of each what it was. */
async function narrow(backend: number, end: 'resetAndDestroy' | 'destroy') {
  const helloBytes: number[] = [];
  const server = createServer(socket => {
    const { readable, writable } = dialTcp(backend);
    const writer = writable.getWriter();
    let isFirst = true;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      if (isFirst) helloBytes.push(chunk.length);
      if (isFirst && chunk.length > SEGMENT_BYTES) socket[end]();
      else writer.write(new Uint8Array(chunk)).catch(() => {});
      isFirst = false;
    });
    const reader = readable.getReader();
    (async () => {
      for (let read = await reader.read(); !read.done; read = await reader.read()) socket.write(read.value);
      socket.end();
    })().catch(() => {});
  });
  return { port: await portOf(server), helloBytes };
}

describe.each(['resetAndDestroy', 'destroy'] as const)(
  'a device that answers a long ClientHello with %s',
  end => {
    it('is named as the likely cause, with what to do, and nothing is tried again', async () => {
      const { port, helloBytes } = await narrow(await listen(), end);
      const client = await clients.make(pki.ca.cert, {});
      await expect(client.fetch(`https://localhost:${port}/`)).rejects.toMatchObject({
        code: 'ERR_TLS_TRUNCATED',
        cause: {
          message: expect.stringMatching(
            /more than one TCP segment.*createClient\(\{ postQuantum: false \}\)/s,
          ),
        },
      });
      expect(helloBytes).toEqual([expect.any(Number)]);
    });

    it('lets a client without post-quantum keys pass', async () => {
      const { port, helloBytes } = await narrow(await listen(), end);
      const client = await clients.make(pki.ca.cert, { postQuantum: false });
      const response = await client.fetch(`https://localhost:${port}/`);
      expect(await response.text()).toBe('in');
      expect(client.connectionInfo(response)?.keyExchange).toBe('X25519');
      expect(helloBytes).toHaveLength(1);
    });
  },
);

it('a device that swallows a long ClientHello is named as well', async () => {
  const port = await portOf(createServer(socket => void socket.on('error', () => {}).resume()));
  const attempt = async (postQuantum: boolean) => {
    const client = await clients.make(pki.ca.cert, { postQuantum, connectTimeoutMs: 300 });
    return client.fetch(`https://localhost:${port}/`).catch(error => error.cause);
  };
  const code = 'ERR_TLS_TIMEOUT';
  expect(await attempt(true)).toMatchObject({ code, message: expect.stringContaining('postQuantum: false') });
  expect(await attempt(false)).toMatchObject({
    code,
    message: expect.not.stringContaining('postQuantum'),
  });
});

it('a short ClientHello that is not answered has another cause', async () => {
  const port = await portOf(
    createServer(socket => void socket.on('error', () => {}).once('data', () => socket.destroy())),
  );
  const client = await clients.make(pki.ca.cert, { postQuantum: false });
  await expect(client.fetch(`https://localhost:${port}/`)).rejects.toMatchObject({
    code: 'ERR_TLS_TRUNCATED',
    cause: { message: 'The connection ended during the handshake.' },
  });
});

it.each([true, false])(
  'with post-quantum keys %s, a server may ask for another group (HelloRetryRequest)',
  async postQuantum => {
    const port = await listen('P-384');
    const client = await clients.make(pki.ca.cert, { postQuantum });
    const response = await client.fetch(`https://localhost:${port}/`);
    expect(await response.text()).toBe('in');
    expect(client.connectionInfo(response)?.keyExchange).toBe('secp384r1');
  },
);

it.each([null, 0, 'no', {}])('%j is neither true nor false', async value => {
  const options = {
    tunnel: tcpTunnel,
    engine: engineModule(),
    postQuantum: value,
  } as unknown as ClientOptions;
  await expect(createClient(options)).rejects.toThrow(new TypeError('"postQuantum" must be true or false'));
});
