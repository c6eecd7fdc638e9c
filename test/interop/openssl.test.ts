import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../src/relay/index.js';
import { clientOf, codeOf, startRelay } from '../support/client.js';
import { type KeyKind, type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import {
  type OpensslServer,
  type OpensslServerOptions,
  startOpensslServer,
} from '../support/openssl-server.js';

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
let relay: Relay;

beforeAll(async () => {
  relay = await startRelay();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
  otherPki.close();
});

const serverPair = (kind: KeyKind) =>
  pki.issue({ subject: '/CN=localhost', kind, altNames: 'DNS:localhost', usage: 'serverAuth' });
const clientPair = (kind: KeyKind, name = `Client ${kind}`) =>
  pki.issue({ subject: `/CN=${name}`, kind, usage: 'clientAuth' });

async function withServer<T>(
  options: Omit<OpensslServerOptions, 'clientCa'>,
  use: (server: OpensslServer) => Promise<T>,
): Promise<T> {
  const server = await startOpensslServer({ ...options, clientCa: pki.ca.cert });
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

async function withClient<T>(
  identities: KeyPair[],
  use: (client: Awaited<ReturnType<typeof clientOf>>) => Promise<T>,
) {
  const client = await clientOf({ relay, ca: pki.ca.cert, identities });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

describe.each(['TLSv1.3', 'TLSv1.2'] as const)('openssl s_server with %s', tls => {
  test.each([
    ['rsa', 'rsa'],
    ['rsa', 'p256'],
    ['p256', 'rsa'],
    ['p384', 'p384'],
    ['p256', 'p521'],
  ] as const)('server key %s, client key %s: it verifies the client', async (serverKey, clientKey) => {
    await withServer({ server: serverPair(serverKey), tls }, server =>
      withClient([clientPair(clientKey)], async client => {
        const response = await client.fetch(`https://localhost:${server.port}/`);
        const page = await response.text();
        expect(response.status).toBe(200);
        expect(page).toContain(`Protocol  : ${tls}`);
        expect(page).toMatch(new RegExp(`Subject: CN ?= ?Client ${clientKey}`));
        expect(page).toContain('Verify return code: 0 (ok)');
      }),
    );
  });

  test('a client without a certificate is told that one is required', async () => {
    await withServer({ server: serverPair('p256'), tls }, server =>
      withClient([], async client => {
        const code = await codeOf(client.fetch(`https://localhost:${server.port}/`));
        expect(code).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
      }),
    );
  });

  test.each([
    ['of another CA', () => otherPki.issue({ subject: '/CN=Stranger', usage: 'clientAuth' })],
    [
      'that has expired',
      () => pki.issue({ subject: '/CN=Late', usage: 'clientAuth', days: [-30, -2] as [number, number] }),
    ],
  ])('a client certificate %s is told to be rejected', async (_name, issue) => {
    await withServer({ server: serverPair('p256'), tls }, server =>
      withClient([issue()], async client => {
        const code = await codeOf(client.fetch(`https://localhost:${server.port}/`));
        expect(code).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
      }),
    );
  });

  test('a socket carries lines both ways', async () => {
    await withServer({ server: serverPair('rsa'), tls, mode: 'reverse' }, server =>
      withClient([clientPair('p256')], async client => {
        const socket = client.connect({ hostname: 'localhost', port: server.port });
        await socket.opened;
        const writer = socket.writable.getWriter();
        const reader = socket.readable.getReader();
        await writer.write(new TextEncoder().encode('abc\n'));
        const first = await reader.read();
        expect(new TextDecoder().decode(first.value)).toBe('cba\n');
        await socket.close();
      }),
    );
  });
});
