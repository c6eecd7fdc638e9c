import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { type NodeServer, startNodeServer, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { caddy } from '../support/servers/caddy.js';
import type { RunningServers, Setting } from '../support/servers/types.js';

const SIZE = 30_000_001;
const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  pki.close();
});

describe.each([
  ['h2', true],
  ['http/1.1', false],
] as const)('Node over %s', (_protocol, http2) => {
  let target: NodeServer;

  beforeAll(async () => {
    target = await startNodeServer({ server, clientCa: pki.ca.cert, http2 });
  });

  afterAll(() => target?.stop());

  test.each(['gzip', 'deflate', 'br', 'zstd'])('%s, as it streams', async coding => {
    const response = await client.fetch(
      `https://localhost:${target.port}/zeros?size=${SIZE}&coding=${coding}`,
    );
    expect(response.headers.get('content-encoding')).toBe(coding);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).toBe(SIZE);
    expect(bytes.every(byte => byte === 0)).toBe(true);
  });
});

describe('Caddy', () => {
  let backend: NodeServer;
  let running: RunningServers;

  beforeAll(async () => {
    backend = await startPlainServer();
    const setting: Setting = {
      tls: 'TLSv1.3',
      clientAuth: 'required',
      http: 'h2',
      serverKey: 'p256',
      server,
      clientCa: pki.ca.cert,
    };
    running = await caddy.start([setting], backend.port);
  });

  afterAll(async () => {
    await running?.stop();
    await backend?.stop();
  });

  test('takes Accept-Encoding at its word, and answers with zstd', async () => {
    const response = await client.fetch(`https://localhost:${running.ports[0]}/zstd`);
    expect(response.headers.get('content-encoding')).toBe('zstd');
    expect(await response.text()).toBe('what Caddy encodes '.repeat(50));
  });
});
