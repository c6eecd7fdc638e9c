import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { type AddressInfo, createServer as createPlainServer, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { MtlsClient, WebSocketErrorEvent } from '../../../src/index.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { Clients } from './support/clients.js';

const pki = new OpensslPki();
const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
const clients = new Clients();
const servers: Server[] = [];

afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => pki.close());

async function serve(server: Server): Promise<{ client: MtlsClient; host: string }> {
  servers.push(server.on('tlsClientError', () => {}).listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const client = await clients.make(pki.ca.cert, {});
  return { client, host: `localhost:${(server.address() as AddressInfo).port}` };
}

/** What each way to a server fails with. */
const failures = {
  fetch: (client: MtlsClient, host: string) => failure(client.fetch(`https://${host}/`)),
  WebSocket: (client: MtlsClient, host: string) =>
    new Promise<Error>(resolve => {
      new client.WebSocket(`wss://${host}/`).onerror = event =>
        resolve((event as WebSocketErrorEvent).error as Error);
    }),
};

const socketTo = (client: MtlsClient, host: string, alpn: string[]) =>
  failure(client.connect(host, { alpn }).opened);

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('it did not fail'),
    error => error,
  );
}

const alert = (words: RegExp) => ({ code: 'ERR_TLS_ALERT', message: expect.stringMatching(words) });

describe('a server that speaks HTTP/2 alone', () => {
  const h2Only = () => createSecureServer({ ...pair }, (_, response) => response.end('by h2'));

  it('is told to allow HTTP/1.1, and not h2, for a WebSocket', async () => {
    const { client, host } = await serve(h2Only());
    expect(await (await client.fetch(`https://${host}/`)).text()).toBe('by h2');
    const error = await failures.WebSocket(client, host);
    expect(error).toMatchObject(
      alert(/does not allow http\/1\.1 .*\(a WebSocket needs it\)\. Have it allow http\/1\.1/),
    );
    expect(error.message).not.toMatch(/h2|option alpn/);
  });

  it.each(['fetch', 'WebSocket'] as const)('and is silent about it, says so itself: %s', async way => {
    // Frames at once, whatever ALPN said: what a proxy for gRPC alone does.
    const settings = Buffer.of(0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100);
    const { client, host } = await serve(
      createServer({ ...pair }, socket => socket.on('error', () => {}).write(settings)),
    );
    expect(await failures[way](client, host)).toMatchObject({
      code: 'ERR_HTTP_PROTOCOL',
      message: expect.stringMatching(
        /speaks HTTP\/2.* choose h2 .* for a WebSocket, have it speak HTTP\/1\.1/,
      ),
    });
  });
});

describe('a server of another protocol', () => {
  const imapOnly = () => createServer({ ...pair, ALPNProtocols: ['imap'] }, socket => socket.end('* OK'));

  it('is told so where HTTP was offered', async () => {
    const { client, host } = await serve(imapOnly());
    expect(await failures.fetch(client, host)).toMatchObject(alert(/neither h2 nor http\/1\.1/));
    expect(await failures.WebSocket(client, host)).toMatchObject(alert(/does not allow http\/1\.1/));
  });

  it('is told which names a socket offered', async () => {
    const { client, host } = await serve(imapOnly());
    const error = await socketTo(client, host, ['pop3', 'xmpp-client']);
    expect(error).toMatchObject(alert(/\(pop3, xmpp-client\).* option alpn of the socket/));
    expect(error.message).not.toMatch(/http/);
    expect(await client.connect(host, { alpn: ['imap'] }).opened).toMatchObject({ alpn: 'imap' });
  });

  it('is told that a socket has to name one, where it offered none', async () => {
    const noApplicationProtocol = Buffer.of(21, 3, 3, 0, 2, 2, 120);
    const { client, host } = await serve(
      createPlainServer(socket => socket.once('data', () => socket.end(noApplicationProtocol))),
    );
    expect(await socketTo(client, host, [])).toMatchObject(alert(/wants a protocol .* option alpn/));
  });
});
