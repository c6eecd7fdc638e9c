import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { serverKinds } from '../support/servers/index.js';
import { protocolsOf } from '../support/servers/settings.js';
import type { RunningServers } from '../support/servers/types.js';

/** What a backend over HTTP/1.1 says of its own connection. nginx passes it on over h2 (RFC 9113 section 8.2.2 forbids it). */
const ANSWER = `HTTP/1.1 200 OK
x: y
upgrade: h2c
te: trailers
keep-alive: timeout=5
proxy-connection: keep-alive
content-length: 2

ok`.replaceAll('\n', '\r\n');

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let backend: Server;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  backend = createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(ANSWER));
  }).listen(0, '127.0.0.1');
  await once(backend, 'listening');
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  backend?.close();
  pki.close();
});

/** The kinds that answer with what a backend sends. */
const proxies = serverKinds.filter(({ name }) => ['nginx', 'Apache', 'HAProxy', 'Caddy'].includes(name));

describe.each(proxies.map(kind => [kind.name, kind] as const))('%s', (_, kind) => {
  let servers: RunningServers;

  beforeAll(async () => {
    const settings = protocolsOf(kind, { server, clientCa: pki.ca.cert });
    servers = await kind.start(settings, (backend.address() as AddressInfo).port);
  }, 60_000);

  afterAll(async () => {
    await servers?.stop();
  });

  test.each(kind.http.map((http, index) => [http, index] as const))(
    'gives the page over %s, several times on one connection',
    async (http, index) => {
      const fields = ['connection', 'upgrade', 'keep-alive', 'proxy-connection', 'te'];
      for (let count = 0; count < 3; count++) {
        const response = await client.fetch(`https://localhost:${servers.ports[index]}${kind.sumPath}`);
        expect(await response.text()).toBe('ok');
        expect(client.connectionInfo(response)?.protocol).toBe(http);
        expect(response.headers.get('x')).toBe('y');
        if (http === 'h2') expect(fields.filter(name => response.headers.has(name))).toEqual([]);
      }
    },
  );
});
