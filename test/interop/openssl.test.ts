import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { codeOf, insistOn, startRelay, type TestClientOptions, withClient } from '../support/client.js';
import { type KeyKind, OpensslPki } from '../support/openssl-pki.js';
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

function codeFor(server: OpensslServer, options: Partial<TestClientOptions>): Promise<string> {
  return withClient({ relay, ca: pki.ca.cert, ...options }, client =>
    codeOf(client.fetch(`https://localhost:${server.port}/`)),
  );
}

describe.each(['TLSv1.3', 'TLSv1.2'] as const)('openssl s_server with %s', tls => {
  test.each([
    ['rsa', 'rsa'],
    ['rsa', 'p256'],
    ['p256', 'rsa'],
    ['p384', 'p384'],
  ] as const)('server key %s, client key %s: it verifies the client', async (serverKey, clientKey) => {
    await withServer({ server: serverPair(serverKey), tls }, server =>
      withClient({ relay, ca: pki.ca.cert, identities: [clientPair(clientKey)] }, async client => {
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
    await withServer({ server: serverPair('p256'), tls }, async server => {
      expect(await codeFor(server, {})).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    });
  });

  test('a client certificate of another CA is told to be rejected', async () => {
    const stranger = otherPki.issue({ subject: '/CN=Stranger', usage: 'clientAuth' });
    await withServer({ server: serverPair('p256'), tls }, async server => {
      expect(await codeFor(server, { onChallenge: await insistOn(stranger) })).toBe(
        'ERR_TLS_CLIENT_CERT_REJECTED',
      );
    });
  });

  test('a client certificate that has expired is not shown, unless a handler insists, and then rejected', async () => {
    const expired = pki.issue({ subject: '/CN=Late', usage: 'clientAuth', days: [-30, -2] });
    await withServer({ server: serverPair('p256'), tls }, async server => {
      expect(await codeFor(server, { identities: [expired] })).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
      expect(await codeFor(server, { onChallenge: await insistOn(expired) })).toBe(
        'ERR_TLS_CLIENT_CERT_REJECTED',
      );
    });
  });

  test('a socket carries lines both ways', async () => {
    await withServer({ server: serverPair('rsa'), tls, mode: 'reverse' }, server =>
      withClient({ relay, ca: pki.ca.cert, identities: [clientPair('p256')] }, async client => {
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

  test('a socket ends with the server, by its close_notify', async () => {
    await withServer({ server: serverPair('rsa'), tls, mode: 'reverse' }, server =>
      withClient({ relay, ca: pki.ca.cert, identities: [clientPair('p256')] }, async client => {
        const socket = client.connect(`localhost:${server.port}`);
        const writer = socket.writable.getWriter();
        const reader = socket.readable.getReader();
        await writer.write(new TextEncoder().encode('abc\n'));
        expect(new TextDecoder().decode((await reader.read()).value)).toBe('cba\n');
        // What this server takes for the order to end.
        await writer.write(new TextEncoder().encode('CLOSE\n'));
        expect((await reader.read()).done).toBe(true);
        await socket.closed;
        await writer.close();
      }),
    );
  });

  test('a socket ends with the client: the server answers its close_notify', async () => {
    await withServer({ server: serverPair('rsa'), tls, mode: 'reverse' }, server =>
      withClient({ relay, ca: pki.ca.cert, identities: [clientPair('p256')] }, async client => {
        const socket = client.connect(`localhost:${server.port}`);
        const reader = socket.readable.getReader();
        await socket.writable.close();
        expect((await reader.read()).done).toBe(true);
        await socket.closed;
      }),
    );
  });
});

/** A body that stops in the middle, and what it is cancelled with. */
function unfinished() {
  let cancel: (reason: unknown) => void = () => {};
  const cancelled = new Promise<unknown>(resolve => {
    cancel = resolve;
  });
  const body = new ReadableStream<Uint8Array>({
    start: controller => controller.enqueue(new TextEncoder().encode(`${'.'.repeat(100_000)}half\n`)),
    cancel: reason => cancel(reason),
  });
  return { body, cancelled };
}

describe.each(['TLSv1.3', 'TLSv1.2'] as const)('an upload to openssl s_server with %s', tls => {
  /** The server has half of the upload. */
  async function uploading(
    use: (
      server: OpensslServer,
      upload: { response: Promise<Response>; cancelled: Promise<unknown> },
    ) => Promise<void>,
  ) {
    const { body, cancelled } = unfinished();
    await withServer({ server: serverPair('p256'), tls, mode: 'console', askClient: false }, server =>
      withClient({ relay, ca: pki.ca.cert }, async client => {
        const response = client.fetch(`https://localhost:${server.port}/`, { method: 'POST', body });
        response.catch(() => {});
        await server.waitFor(/half/);
        await use(server, { response, cancelled });
      }),
    );
  }

  test('that is refused by an answer of a server that hangs up: the answer counts', async () => {
    await uploading(async (server, { response, cancelled }) => {
      server.say('HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large');
      const answer = await response;
      server.say('q\n');
      expect([answer.status, await answer.text()]).toEqual([413, 'too large']);
      expect(await cancelled).toBeInstanceOf(TypeError);
    });
  });

  test.each<[name: string, end: (server: OpensslServer) => unknown]>([
    ['when it hangs up', server => server.say('q\n')],
    ['by the end of the server', server => server.stop('SIGKILL')],
  ])('that is cut %s fails, and its stream is cancelled', async (_, end) => {
    await uploading(async (server, { response, cancelled }) => {
      await end(server);
      await expect(response).rejects.toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
      expect(await cancelled).toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
    });
  });
});

// With TLS 1.2 a server that goes by RFC 8422 section 5.1.1 takes no certificate on a curve that the client does not offer for
// the key exchange, and ring has no P-521 to offer.
test('TLS 1.3 takes a client key on P-521', async () => {
  await withServer({ server: serverPair('p256'), tls: 'TLSv1.3' }, server =>
    withClient({ relay, ca: pki.ca.cert, identities: [clientPair('p521')] }, async client => {
      const response = await client.fetch(`https://localhost:${server.port}/`);
      expect(await response.text()).toMatch(/Subject: CN ?= ?Client p521/);
    }),
  );
});
