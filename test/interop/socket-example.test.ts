import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import type { MtlsClient } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { blockOf } from '../support/documented.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
afterAll(() => pki.close());

type Run = (client: MtlsClient, console: { log(chunk: Uint8Array): void }) => Promise<void>;

/** The example's statements, as the body of a function. */
function example(port: number): Run {
  const text = blockOf(
    'docs/websocket.md',
    ({ heading, language }) => heading === 'Sockets' && language === 'ts',
  )
    .replace("hostname: 'mail.example.com', port: 993", `hostname: 'localhost', port: ${port}`)
    .replace('mail.example.com:993', `localhost:${port}`);
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (...parts: string[]) => Run;
  return new AsyncFunction('client', 'console', text);
}

test('the example of docs/websocket.md speaks to a mail server by a socket', async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  const heard: string[] = [];
  const target = createServer(
    { ...server, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['imap'] },
    socket => {
      socket.on('data', data => {
        heard.push(`${socket.alpnProtocol} ${socket.getPeerCertificate().subject.CN} ${data}`);
        socket.end('* CAPABILITY IMAP4rev2\r\na1 OK done\r\n');
      });
    },
  ).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const relay = await startRelay();
  const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
  const client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
  try {
    const said: Uint8Array[] = [];
    const { port } = target.address() as AddressInfo;
    await example(port)(client, { log: chunk => said.push(chunk) });
    expect(heard).toEqual(['imap Ada a1 CAPABILITY\r\n']);
    expect(Buffer.concat(said).toString()).toBe('* CAPABILITY IMAP4rev2\r\na1 OK done\r\n');
  } finally {
    await client.close();
    await relay.close();
    target.close();
  }
});
