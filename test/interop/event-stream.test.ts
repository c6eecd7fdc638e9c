import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { documented } from '../support/documented.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let client: MtlsClient;
let eventsOf: (client: MtlsClient, address: string, signal: AbortSignal) => AsyncGenerator<string>;

beforeAll(async () => {
  ({ eventsOf } = await documented<{ eventsOf: typeof eventsOf }>('docs/websocket.md', 'eventsOf'));
  relay = await startRelay();
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  pki.close();
});

interface Sender {
  write(text: string): unknown;
  end(): unknown;
  on(event: 'close', listener: () => void): unknown;
}

describe.each(['h2', 'http/1.1'])('an event stream over %s', protocol => {
  let target: Server;
  let sender: Sender;
  let closed: boolean;
  const urlOf = () => `https://localhost:${(target.address() as AddressInfo).port}/`;

  beforeAll(async () => {
    const tls = { ...server, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true };
    const answer = (
      response: Sender & { writeHead(status: number, headers: Record<string, string>): unknown },
    ) => {
      closed = false;
      sender = response;
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': welcome\n\n');
    };
    target =
      protocol === 'h2'
        ? createSecureServer(tls, (_, response) => answer(response))
        : createServer(tls, (_, response) => answer(response));
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
  });
  afterAll(() => target?.close());

  test('gives each event before the next one is sent, and ends', async () => {
    const events = eventsOf(client, urlOf(), new AbortController().signal);
    let next = events.next();
    await expect.poll(() => sender).toBeDefined();
    for (const data of ['one', 'two\nlines', 'ü']) {
      sender.write(`id: 1\ndata: ${data.replace('\n', '\ndata: ')}\n\n`);
      // Nothing more is sent until this one has come.
      expect(await next).toEqual({ done: false, value: data });
      next = events.next();
    }
    sender.end();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test('ends by an abort, and the server notices', async () => {
    const controller = new AbortController();
    const events = eventsOf(client, urlOf(), controller.signal);
    const first = events.next();
    await expect.poll(() => closed).toBe(false);
    sender.write('data: one\n\n');
    expect(await first).toEqual({ done: false, value: 'one' });
    const reason = new Error('enough');
    const second = events.next();
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await expect.poll(() => closed).toBe(true);
  });
});
