import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, codeOf, startRelay, withClient } from '../support/client.js';
import { type NodeServer, patternOf, sha256, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const SIGNATURE_DELAY_MS = 200;
const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', kind: 'rsa', usage: 'clientAuth' });
let relay: Relay;

beforeAll(async () => {
  relay = await startRelay();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
});

afterEach(() => vi.restoreAllMocks());

describe.each([
  ['TLSv1.3', true],
  ['TLSv1.3', false],
  ['TLSv1.2', true],
  ['TLSv1.2', false],
] as const)('Node with %s, h2 %s', (tls, http2) => {
  let target: NodeServer;
  let client: MtlsClient;

  beforeAll(async () => {
    target = await startNodeServer({ server, clientCa: pki.ca.cert, tls, http2 });
    client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
  });

  afterAll(async () => {
    await client?.close();
    await target?.stop();
  });

  const urlOf = (path: string) => `https://localhost:${target.port}${path}`;

  test('knows the client', async () => {
    const response = await client.fetch(urlOf('/'));
    expect(await response.json()).toMatchObject({ subject: 'Client', tls, http: http2 ? '2.0' : '1.1' });
  });

  test('requests one after the other share a connection', async () => {
    const before = target.connections();
    for (let count = 0; count < 5; count++) await (await client.fetch(urlOf('/'))).text();
    expect(target.connections() - before).toBeLessThanOrEqual(1);
  });

  test('a stream of 64 MiB arrives whole, in order', async () => {
    const size = 64 << 20;
    const response = await client.fetch(urlOf(`/bytes?size=${size}`));
    expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(patternOf(size)));
  });

  test('an echo of 4 MiB comes back', async () => {
    const body = patternOf(4 << 20);
    const response = await client.fetch(urlOf('/echo'), { method: 'POST', body });
    expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(body));
  });

  test.each([
    ['of declared length', '/cut?after=1000'],
    ['of declared length, after more than a record', '/cut?after=100000'],
    ['without a length', '/cut?after=1000&chunked=1'],
  ])('a body %s that is cut fails and is not taken for whole', async (_name, path) => {
    const response = await client.fetch(urlOf(path));
    expect(response.status).toBe(200);
    expect(await codeOf(response.arrayBuffer())).toBe('ERR_TLS_TRUNCATED');
    // The client itself goes on.
    expect((await client.fetch(urlOf('/'))).status).toBe(200);
  });

  test('an abort gives the reason of the signal', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const response = await client.fetch(urlOf(`/bytes?size=${1 << 30}`), { signal: controller.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    controller.abort(reason);
    const readAll = async () => {
      while (!(await reader?.read())?.done);
    };
    await expect(readAll()).rejects.toBe(reason);
  });

  test('50 fetches at once, on a new client, with each signature late by 200 ms', async () => {
    const fresh = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
    const sign = crypto.subtle.sign.bind(crypto.subtle);
    const late = vi.spyOn(crypto.subtle, 'sign').mockImplementation(async (...args) => {
      const [result] = await Promise.all([sign(...args), delay(SIGNATURE_DELAY_MS)]);
      return result;
    });
    try {
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const response = await fresh.fetch(urlOf('/sum'), { method: 'POST', body: patternOf(index * 100) });
          return response.json();
        }),
      );
      const expected = Array.from({ length: 50 }, (_, index) => {
        const body = patternOf(index * 100);
        return { length: body.length, sha256: sha256(body) };
      });
      expect(answers).toEqual(expected);
      expect(late).toHaveBeenCalled();
    } finally {
      await fresh.close();
    }
  });
});

test('a server that asks without insisting takes a client that has no certificate', async () => {
  const target = await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false });
  try {
    const response = await withClient({ relay, ca: pki.ca.cert }, async client =>
      (await client.fetch(`https://localhost:${target.port}/`)).json(),
    );
    expect(response).toMatchObject({ subject: null });
  } finally {
    await target.stop();
  }
});

test('a request that the server takes over HTTP/1.1 alone goes that way, and so do those that follow', async () => {
  const target = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  try {
    await withClient({ relay, ca: pki.ca.cert, identities: [pair] }, async client => {
      const url = (path: string) => `https://localhost:${target.port}${path}`;
      const slow = await client.fetch(url(`/bytes?size=${4 << 20}`));
      expect(client.connectionInfo(slow)?.protocol).toBe('h2');
      const body = patternOf(100_000);
      const echo = await client.fetch(url('/echo?http1'), { method: 'POST', body });
      expect(client.connectionInfo(echo)?.protocol).toBe('http/1.1');
      expect(sha256(new Uint8Array(await echo.arrayBuffer()))).toBe(sha256(body));
      expect(target.requests('/echo')).toBe(2);
      expect(await (await client.fetch(url('/'))).json()).toMatchObject({ http: '1.1' });
      // What was in progress over HTTP/2 ends.
      expect((await slow.arrayBuffer()).byteLength).toBe(4 << 20);
    });
  } finally {
    await target.stop();
  }
});

test('a body that cannot be read again is not, though the server wants it over HTTP/1.1', async () => {
  const target = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  try {
    await withClient({ relay, ca: pki.ca.cert, identities: [pair] }, async client => {
      const url = `https://localhost:${target.port}/echo?http1`;
      const streamed = () => {
        const body = new Blob([patternOf(1 << 20)]).stream();
        return client.fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit);
      };
      expect(await codeOf(streamed())).toBe('ERR_HTTP_RESET');
      // Over HTTP/1.1 from the start.
      expect((await (await streamed()).arrayBuffer()).byteLength).toBe(1 << 20);
    });
  } finally {
    await target.stop();
  }
});

test('a WebSocket to the relay without a stream does not keep the process alive', async () => {
  const target = await startNodeServer({ server, clientCa: pki.ca.cert });
  const script = `
    import { WebSocket } from 'ws';
    import { createWebSocketTunnel } from './dist/index.js';
    const tunnel = createWebSocketTunnel('${relay.url}', { WebSocket });
    const { readable } = await tunnel.connect({ hostname: 'localhost', port: ${target.port} });
    await readable.cancel();
    console.log('idle');`;
  try {
    const args = ['--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 10_000 });
    expect(stdout).toBe('idle\n');
  } finally {
    await target.stop();
  }
});
