import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MtlsClient } from '../../src/index.js';
import type { Relay } from '../../src/relay/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { documented } from '../support/documented.js';
import { failedCases, fetchCases } from '../support/fetch-cases/index.js';
import { type FetchServer, startFetchServer } from '../support/fetch-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;

interface Example {
  load(client: MtlsClient, url: string): Promise<unknown>;
}

beforeAll(async () => {
  relay = await startRelay();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
});

describe.each(['h2', 'http/1.1'] as const)('fetch over %s', protocol => {
  let servers: FetchServer[] = [];
  let client: MtlsClient;

  beforeAll(async () => {
    const options = { server, clientCa: pki.ca.cert, http2: protocol === 'h2' };
    servers = await Promise.all([startFetchServer(options), startFetchServer(options)]);
    client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
  });

  afterAll(async () => {
    await client?.close();
    await Promise.all(servers.map(it => it.stop()));
  });

  it('does what the standard says', { timeout: 180_000 }, async () => {
    const [origin = '', other = ''] = servers.map(it => it.origin);
    const failed = await failedCases({ fetch: client.fetch, origin, other, protocol });
    const { length } = fetchCases;
    console.log(`fetch cases: ${length - failed.length} of ${length} pass (Node, ${protocol})`);
    expect(failed).toEqual([]);
  });

  it('runs the example of the documentation', async () => {
    const [origin = ''] = servers.map(it => it.origin);
    const { load } = await documented<Example>('docs/fetch.md', 'load');
    expect(await load(client, `${origin}/show`)).toMatchObject({
      method: 'GET',
      headers: { pragma: 'no-cache' },
    });
  });
});
