import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({
  subject: '/CN=localhost',
  altNames: 'DNS:localhost,IP:127.0.0.1',
  usage: 'serverAuth',
});
/** Answers that wait. */
const held: (() => void)[] = [];
/**
 * `/set?c=…` (repeatable) sets cookies, `/to?url=…` redirects and sets one; both answer with the cookies that came. With
 * `&held` the answer waits.
 */
const backend = createServer({ ...server }, (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
  if (pathname === '/to') {
    const location = searchParams.get('url') ?? '/';
    response.writeHead(302, { location, 'set-cookie': 'way=yes; Secure; Path=/' }).end();
    return;
  }
  for (const cookie of searchParams.getAll('c')) response.appendHeader('set-cookie', cookie);
  const answer = () => void response.end(request.headers.cookie ?? '');
  if (searchParams.has('held')) held.push(answer);
  else answer();
});
let relay: Relay;
let port: number;
const clients: MtlsClient[] = [];

beforeAll(async () => {
  const sockets = new WebSocketServer({ server: backend });
  sockets.on('headers', headers => headers.push('Set-Cookie: socket=1'));
  sockets.on('connection', (socket, request) => socket.send(request.headers.cookie ?? ''));
  await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve));
  port = (backend.address() as AddressInfo).port;
  relay = await startRelay();
});
afterEach(async () => {
  vi.unstubAllGlobals();
  for (const client of clients.splice(0)) await client.close();
});
afterAll(async () => {
  await relay.close();
  backend.closeAllConnections();
  backend.close();
  pki.close();
});

async function open(): Promise<MtlsClient> {
  const client = await clientOf({ relay, ca: pki.ca.cert });
  clients.push(client);
  return client;
}

const urlOf = (path: string, host = 'localhost') => `https://${host}:${port}${path}`;
const setting = (...cookies: string[]) =>
  `/set?${cookies.map(it => `c=${encodeURIComponent(it)}`).join('&')}`;
const sent = async (client: MtlsClient, path = '/', init?: RequestInit) =>
  (await client.fetch(urlOf(path), init)).text();

describe('cookies', () => {
  it('are kept, sent again, replaced and ended, and not shown to the page', async () => {
    const client = await open();
    const response = await client.fetch(urlOf(setting('a=1; HttpOnly', 'b=2; Path=/sub')));
    expect(response.headers.get('set-cookie')).toBe(null);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await sent(client)).toBe('a=1');
    expect((await sent(client, '/sub/page')).split('; ').sort()).toEqual(['a=1', 'b=2']);
    await client.fetch(urlOf(setting('a=3', 'b=; Path=/sub; Max-Age=0')));
    expect(await sent(client, '/sub/page')).toBe('a=3');
  });

  it('belong to one client', async () => {
    const [one, other] = [await open(), await open()];
    await one.fetch(urlOf(setting('a=1')));
    expect(await sent(other)).toBe('');
  });

  it('are those of the standard: prefixes, domains and public suffixes are looked at', async () => {
    const client = await open();
    await client.fetch(
      urlOf(
        setting(
          '__Host-good=1; Secure; Path=/',
          '__Host-bad=1; Secure; Path=/sub',
          '__Secure-bad=1',
          'foreign=1; Domain=example.com',
          // Without a name: RFC 6265bis section 5.6 keeps it.
          'nonsense',
        ),
      ),
    );
    expect(await sent(client)).toBe('__Host-good=1; nonsense');
  });

  it('leave the caller his own', async () => {
    const client = await open();
    await client.fetch(urlOf(setting('a=1')));
    expect(await sent(client, '/', { headers: { cookie: 'mine=1' } })).toBe('mine=1');
  });

  it('are taken from redirects', async () => {
    const client = await open();
    expect(await sent(client, '/to?url=/')).toBe('way=yes');
  });

  it('are cleared for a host, or all', async () => {
    const client = await open();
    const both = async () => {
      await client.fetch(urlOf(setting('a=1')));
      await client.fetch(urlOf(setting('b=1'), '127.0.0.1'));
    };
    const ofOther = async () => (await client.fetch(urlOf('/', '127.0.0.1'))).text();
    await both();
    await client.cookies.clear('localhost');
    expect([await sent(client), await ofOther()]).toEqual(['', 'b=1']);
    await both();
    await client.forget(`127.0.0.1:${port}`);
    expect([await sent(client), await ofOther()]).toEqual(['a=1', '']);
    await both();
    await client.cookies.clear();
    expect([await sent(client), await ofOther()]).toEqual(['', '']);
  });

  it('are not set by answers to requests from before they were forgotten', async () => {
    const client = await open();
    const late = client.fetch(`${urlOf(setting('a=1'))}&held`);
    await expect.poll(() => held.length).toBe(1);
    await client.forget(`localhost:${port}`);
    held.shift()?.();
    await (await late).text();
    expect(await sent(client)).toBe('');
    await client.fetch(urlOf(setting('a=2')));
    expect(await sent(client)).toBe('a=2');
  });

  it('go along with WebSockets', async () => {
    const client = await open();
    await client.fetch(urlOf(setting('a=1')));
    const socket = new client.WebSocket(urlOf('/').replace('https', 'wss'));
    const first = await new Promise<string>((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = event => reject((event as ErrorEvent).error);
    });
    expect(first).toBe('a=1');
    socket.close();
    expect((await sent(client)).split('; ').sort()).toEqual(['a=1', 'socket=1']);
  });
});

describe('credentials', () => {
  it('decide, by the origin of the page, whether cookies are sent and kept', async () => {
    vi.stubGlobal('location', new URL(urlOf('/page')));
    const client = await open();
    await client.fetch(urlOf(setting('a=1')), { credentials: 'omit' });
    expect(await sent(client)).toBe('');
    await client.fetch(urlOf(setting('a=1')));
    expect(await sent(client)).toBe('a=1');
    expect(await sent(client, '/', { credentials: 'omit' })).toBe('');
    vi.stubGlobal('location', new URL('https://app.localhost/page'));
    expect(await sent(client)).toBe('');
    expect(await sent(client, '/', { credentials: 'include' })).toBe('a=1');
    const request = new Request(urlOf('/'), { credentials: 'include' });
    expect(await (await client.fetch(request)).text()).toBe('a=1');
  });

  it('leave SameSite its meaning: another site neither sets nor gets Lax and Strict cookies', async () => {
    const client = await open();
    const cookies = setting(
      'strict=1; SameSite=Strict',
      'lax=1; SameSite=Lax',
      'none=1; SameSite=None; Secure',
    );
    const include = { credentials: 'include' } as const;
    vi.stubGlobal('location', new URL('https://example.com/page'));
    await client.fetch(urlOf(cookies), include);
    expect(await sent(client, '/', include)).toBe('none=1');
    vi.stubGlobal('location', new URL(`https://localhost/page`));
    await client.fetch(urlOf(cookies), include);
    expect((await sent(client, '/', include)).split('; ').sort()).toEqual(['lax=1', 'none=1', 'strict=1']);
    vi.stubGlobal('location', new URL('https://example.com/page'));
    expect(await sent(client, '/', include)).toBe('none=1');
  });
});
