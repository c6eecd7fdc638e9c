import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { documented } from '../support/documented.js';
import type { CaseContext } from '../support/fetch-cases/case.js';
import { failedCases, fetchCases } from '../support/fetch-cases/index.js';
import { wptReport, wptResults } from '../support/fetch-cases/wpt/index.js';
import { leftOut } from '../support/fetch-cases/wpt/left-out.js';
import { reasons } from '../support/fetch-cases/wpt/reasons.js';
import { CHACHA_FIRST, type FetchServer, startFetchServer } from '../support/fetch-server.js';
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

afterEach(() => {
  vi.unstubAllGlobals();
});

afterAll(async () => {
  await relay?.close();
  pki.close();
});

it('the documentation has every difference, and what is left out', () => {
  const documentation = readFileSync('docs/fetch.md', 'utf8');
  const texts = [...Object.values(reasons), ...Object.keys(leftOut)];
  expect(texts.filter(text => !documentation.includes(text))).toEqual([]);
});

describe.each(['h2', 'http/1.1'] as const)('fetch over %s', protocol => {
  let servers: FetchServer[] = [];
  let client: MtlsClient;
  const context = (): CaseContext => {
    const [origin = '', other = '', http1 = ''] = servers.map(it => it.origin);
    return { fetch: client.fetch, Request: client.Request, origin, other, http1, protocol };
  };

  beforeAll(async () => {
    const options = { server, clientCa: pki.ca.cert, http2: protocol === 'h2' };
    servers = await Promise.all(
      [options, { ...options, ciphers: CHACHA_FIRST }, { ...options, http2: false }].map(it =>
        startFetchServer(it),
      ),
    );
    client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair], hosts: ['localhost'] });
  });

  afterAll(async () => {
    await client?.close();
    await Promise.all(servers.map(it => it.stop()));
  });

  it('does what the standard says', { timeout: 180_000 }, async () => {
    const failed = await failedCases(context());
    const { length } = fetchCases;
    console.log(`fetch cases: ${length - failed.length} of ${length} pass (Node, ${protocol})`);
    expect(failed).toEqual([]);
  });

  it("does so with client.Request in the place of the platform's", { timeout: 180_000 }, async () => {
    vi.stubGlobal('Request', client.Request);
    expect(await failedCases(context())).toEqual([]);
  });

  it('does what web-platform-tests ask for, but for the differences', { timeout: 180_000 }, async () => {
    vi.stubGlobal('location', new URL('/page?query', context().origin));
    const results = await wptResults(context());
    console.log(wptReport(results, `Node, ${protocol}`));
    expect(results.surprises).toEqual([]);
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
