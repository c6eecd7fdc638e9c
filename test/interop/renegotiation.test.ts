import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient, type MtlsClient, type Tunnel } from '../../src/index.js';
import { startRelay, withClient } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type OpensslServer, startOpensslServer } from '../support/openssl-server.js';
import { startPython } from '../support/python.js';
import { startApache } from '../support/servers/apache.js';
import type { RunningServers } from '../support/servers/types.js';
import { dialTcp } from '../support/tcp-tunnel.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({
  subject: '/CN=localhost',
  kind: 'rsa',
  altNames: 'DNS:localhost',
  usage: 'serverAuth',
});
const identities = [pki.issue({ subject: '/CN=Client', usage: 'clientAuth' })];
/** WebCrypto has the records of the first, the engine those of the second. */
const listeners = [
  ['TLSv1.2', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLSv1.2', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLSv1.3', 'TLS_AES_128_GCM_SHA256'],
] as const;
/** Over HTTP/2 Apache asks for HTTP/1.1 first, there to ask for a certificate. */
const hosts = listeners.flatMap(([tls, suite]) =>
  (['h2', 'http/1.1'] as const).map(http => ({ tls, suite, http })),
);
let relay: Relay;
let apache: RunningServers;

beforeAll(async () => {
  relay = await startRelay();
  // Asks for certificates in one place only, /private.
  apache = await startApache(
    hosts,
    ({ tls, suite, http }, { folder }) => `Protocols ${http === 'h2' ? 'h2 http/1.1' : 'http/1.1'}
      SSLProtocol -all +${tls}
      ${tls === 'TLSv1.2' ? `SSLCipherSuite ${suite}` : ''}
      SSLCertificateFile ${folder.write('server.pem', server.cert)}
      SSLCertificateKeyFile ${folder.write('server.key', server.key)}
      SSLCACertificateFile ${folder.write('ca.pem', pki.ca.cert)}
      DocumentRoot /usr/share
      <Location /private>
        SSLVerifyClient require
      </Location>`,
  );
});

afterAll(async () => {
  await apache?.stop();
  await relay?.close();
  pki.close();
});

test.each(hosts.map((host, index) => ({ ...host, index })))(
  'Apache, $tls, $suite, $http: a certificate asked for after the handshake',
  async ({ tls, http, index }) => {
    await withClient({ relay, ca: pki.ca.cert, identities }, async client => {
      const url = `https://localhost:${apache.ports[index]}`;
      const open = await client.fetch(`${url}/nothing`);
      await open.text();
      expect(open.status).toBe(404);
      expect(client.connectionInfo(open)).toMatchObject({ tlsVersion: tls, protocol: http });
      const error = await client.fetch(`${url}/private/`).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'ERR_TLS_RENEGOTIATION',
        cause: { message: expect.stringContaining('SSLVerifyClient in the virtual host') },
      });
    });
  },
);

const renegotiation = {
  code: 'ERR_TLS_RENEGOTIATION',
  cause: { message: expect.stringContaining('OpenSSL: SSL_VERIFY_PEER') },
};

/** With a server whose console the test writes to. */
async function atConsole(
  [tls, suite]: readonly [tls: 'TLSv1.2' | 'TLSv1.3', suite: string],
  use: (server: OpensslServer, client: MtlsClient) => Promise<void>,
): Promise<void> {
  const args = tls === 'TLSv1.2' ? ['-cipher', suite] : ['-ciphersuites', suite];
  const console = await startOpensslServer({
    server,
    tls,
    clientCa: pki.ca.cert,
    mode: 'console',
    requireClient: false,
    args,
  });
  try {
    await withClient({ relay, ca: pki.ca.cert, identities }, client => use(console, client));
  } finally {
    await console.stop();
  }
}

const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

/** A request that the console has received, and its answer. */
async function ask(console: OpensslServer, client: MtlsClient, path: string) {
  const response = client.fetch(`https://localhost:${console.port}${path}`);
  response.catch(() => {});
  await console.waitFor(new RegExp(`GET ${path} `));
  return { response };
}

describe.each(listeners.filter(([tls]) => tls === 'TLSv1.2'))('OpenSSL, %s, %s', (...listener) => {
  const [tls, suite] = listener;

  test.each(['r', 'R'])('%s before the answer: the request fails', async command => {
    await atConsole(listener, async (console, client) => {
      const { response } = await ask(console, client, '/first');
      console.say(`${command}\n`);
      await expect(response).rejects.toMatchObject(renegotiation);
    });
  });

  test.each(['r', 'R'])('%s in the middle of the answer: what had come is read first', async command => {
    await atConsole(listener, async (console, client) => {
      const { response } = await ask(console, client, '/first');
      console.say(`${head(100)}partly`);
      const reader = (await response).body?.getReader();
      expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('partly');
      console.say(`${command}\n`);
      await expect(reader?.read()).rejects.toMatchObject(renegotiation);
    });
  });

  test.each(['r', 'R'])(
    '%s while nothing is asked: the next request goes over another connection',
    async command => {
      await atConsole(listener, async (console, client) => {
        const first = await ask(console, client, '/first');
        console.say(`${head(5)}first`);
        expect(await (await first.response).text()).toBe('first');
        console.say(`${command}\n`);
        // The client has said no, and that it ends.
        await console.waitFor(/^(?:ERROR|DONE|CONNECTION CLOSED|shutting down SSL)/m);
        const second = await ask(console, client, '/second');
        console.say(`${head(6)}second`);
        expect(await (await second.response).text()).toBe('second');
      });
    },
  );

  test.each(['r', 'R'])('%s to a socket', async command => {
    await atConsole(listener, async (console, client) => {
      const socket = client.connect(`localhost:${console.port}`);
      const reader = socket.readable.getReader();
      await socket.opened;
      console.say('hello\n');
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('hello\n');
      console.say(`${command}\n`);
      const { code } = renegotiation;
      await expect(reader.read()).rejects.toMatchObject({ code });
      await expect(socket.closed).rejects.toMatchObject({ code });
    });
  });

  test('r that comes in one piece with the end of the handshake', async () => {
    const console = await startOpensslServer({
      server,
      tls,
      clientCa: pki.ca.cert,
      mode: 'console',
      requireClient: false,
      args: ['-cipher', suite],
    });
    let together = 0;
    const tunnel: Tunnel = {
      connect: async ({ port }) => {
        const { readable, writable } = dialTcp(port);
        const held = withFinishedHeld(readable, () => together++);
        return { readable: held, writable };
      },
    };
    const client = await createClient({ tunnel, trust: { anchors: [pki.ca.cert] }, engine: engineModule() });
    try {
      const response = client.fetch(`https://localhost:${console.port}/`);
      response.catch(() => {});
      await console.waitFor(/^CIPHER is/m);
      console.say('r\n');
      await expect(response).rejects.toMatchObject(renegotiation);
      expect(together).toBe(1);
    } finally {
      await client.close();
      await console.stop();
    }
  });
});

const CHANGE_CIPHER_SPEC = 20;

/** Passes the server's change_cipher_spec and Finished on together with the record behind them. */
function withFinishedHeld(
  readable: ReadableStream<Uint8Array>,
  onTogether: () => void,
): ReadableStream<Uint8Array> {
  const reader = readable.getReader();
  async function* pieces() {
    let held = Buffer.alloc(0);
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      held = Buffer.concat([held, read.value]);
      const records = recordsOf(held);
      const last = records.findIndex(it => it[0] === CHANGE_CIPHER_SPEC);
      if (last >= 0 && records.length >= last + 3) {
        onTogether();
        yield held;
        break;
      }
      const before = Buffer.concat(last < 0 ? records : records.slice(0, last));
      if (before.length > 0) yield before;
      held = held.subarray(before.length);
    }
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  }
  const passing = pieces();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await passing.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** The whole records at the beginning. */
function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length && at + 5 + bytes.readUInt16BE(at + 3) <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt16BE(at + 3);
    records.push(bytes.subarray(at, end));
    at = end;
  }
  return records;
}

// Authentication after the handshake is not offered in TLS 1.3 (RFC 8446 section 4.2.6), so a server does not ask.
test('OpenSSL, TLSv1.3: c asks for nothing, and the connection goes on', async () => {
  await atConsole(['TLSv1.3', 'TLS_AES_128_GCM_SHA256'], async (console, client) => {
    const { response } = await ask(console, client, '/first');
    console.say('c\n');
    await console.waitFor(/extension not received/);
    console.say(`${head(5)}hello`);
    expect(await (await response).text()).toBe('hello');
  });
});

test('Python, TLSv1.3: verify_client_post_handshake asks for nothing, and the connection goes on', async () => {
  const script = fileURLToPath(new URL('../support/post-handshake.py', import.meta.url));
  const python = await startPython(script, { server, clientCa: pki.ca.cert });
  try {
    await withClient({ relay, ca: pki.ca.cert, identities }, async client => {
      const socket = client.connect(`localhost:${python.port}`);
      await socket.writable.getWriter().write(Buffer.from('go'));
      expect(await new Response(socket.readable).text()).toBe('EXTENSION_NOT_RECEIVED');
    });
  } finally {
    await python.stop();
  }
});
