import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { type Nginx, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const ada = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });

/** `?count=N&size=N` sets so many cookies of that size, each with a name of its own; the answer is the cookies that came. */
let named = 0;
const backend = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const size = Number(searchParams.get('size') ?? 1);
  for (let i = 0; i < Number(searchParams.get('count') ?? 0); i++)
    response.appendHeader('set-cookie', `c${named++}=${'v'.repeat(size)}; Path=/; Secure`);
  response.end(request.headers.cookie ?? '');
});
let relay: Relay;
let nginx: Nginx;

beforeAll(async () => {
  await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve));
  relay = await startRelay();
  const { port } = backend.address() as AddressInfo;
  const common = { server, tls: 'TLSv1.3', clientCa: pki.ca.cert } as const;
  nginx = await startNginx([{ ...common, http2: true }, common], { backendPort: port });
});
afterAll(async () => {
  await nginx?.stop();
  await relay?.close();
  backend.close();
  pki.close();
});

describe.each([
  ['h2', 0],
  ['http/1.1', 1],
])('over %s', (protocol, index) => {
  const visit = async (client: MtlsClient, query = '') => {
    const response = await client.fetch(`https://localhost:${nginx.ports[index]}/backend/${query}`);
    const text = await response.text();
    expect([response.status, client.connectionInfo(response)?.protocol]).toEqual([200, protocol]);
    return text === '' ? [] : text.split('; ');
  };

  it('a server that sets cookies without end goes on answering', async () => {
    const client = await clientOf({ relay, ca: pki.ca.cert, identities: [ada] });
    for (let i = 0; i < 87; i++) await visit(client, '?count=12&size=4000');
    const sent = await visit(client);
    expect(sent.map(it => it.length)).toEqual([4_000, 4_000].map(size => `c${named}=`.length + size));
    expect(sent.at(-1)?.startsWith(`c${named - 1}=`)).toBe(true);
    await client.close();
  });

  it('many cookies of one response are kept up to 180, the last ones', async () => {
    const client = await clientOf({ relay, ca: pki.ca.cert, identities: [ada] });
    await visit(client, '?count=5&size=5000');
    expect(await visit(client)).toEqual([]);
    await visit(client, '?count=240');
    const expected = Array.from({ length: 180 }, (_, i) => `c${named - 180 + i}=v`);
    expect(await visit(client)).toEqual(expected);
    await client.cookies.clear('localhost');
    expect(await visit(client)).toEqual([]);
    await client.close();
  });

  it('the header is as long as the client is told', async () => {
    const client = await clientOf({
      relay,
      ca: pki.ca.cert,
      identities: [ada],
      cookies: { maxHeaderBytes: 4_200 },
    });
    await visit(client, '?count=3&size=2000');
    expect(await visit(client)).toHaveLength(2);
    await client.close();
  });
});
