import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../../../src/index.js';
import { engineModule } from '../../../support/engine.js';
import { OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';
import { sleep } from '../support/servers.js';

let pki: OpensslPki;
let freedBytes: number;
const body = randomBytes(1_000_000);

beforeAll(() => {
  pki = new OpensslPki();
});
afterAll(() => pki.close());

beforeEach(() => {
  freedBytes = 0;
  const prototype: ArrayBuffer & { transfer?: unknown } = ArrayBuffer.prototype;
  const own = Object.getOwnPropertyDescriptor(prototype, 'transfer');
  const transfer = function (this: ArrayBuffer) {
    freedBytes += this.byteLength;
    // Whoever still reads it finds no bytes.
    structuredClone(undefined, { transfer: [this] });
  };
  Object.defineProperty(prototype, 'transfer', { value: transfer, configurable: true });
  onTestFinished(() => {
    delete prototype.transfer;
    if (own) Object.defineProperty(prototype, 'transfer', own);
  });
});

/** The body of what a server answers that does so over AES-GCM. */
async function answerOf(answer: (socket: TLSSocket) => Promise<void>, maxVersion: 'TLSv1.2' | 'TLSv1.3') {
  const { cert, key } = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const ciphers = 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256';
  const server = createServer({ cert, key, ciphers, maxVersion }, socket => {
    socket.on('error', () => {});
    socket.once('data', () => void answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = await createClient({
    tunnel: { connect: async () => dialTcp(port) },
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
  onTestFinished(async () => {
    await client.close();
    server.close();
  });
  const response = await client.fetch(`https://localhost:${port}/`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body ?? []) chunks.push(chunk);
  return { headers: response.headers, bytes: Buffer.concat(chunks) };
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'the memory of opened records is freed when HTTP has copied it, and not that of a head which is not complete, %s',
  async version => {
    const long = 'x'.repeat(10_000);
    const { headers, bytes } = await answerOf(async socket => {
      socket.write(`HTTP/1.1 200 OK\r\nlong: ${long}`);
      await sleep(50);
      socket.write(`${long}\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    }, version);
    expect(headers.get('long') === long + long).toBe(true);
    expect(bytes.equals(body)).toBe(true);
    expect(freedBytes).toBeGreaterThan(0.9 * body.length);
  },
);
