import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../../../src/index.js';
import { engineModule } from '../../../support/engine.js';
import { countFreed } from '../../../support/freed-memory.js';
import { OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';
import { sleep } from '../support/servers.js';

let pki: OpensslPki;
const body = randomBytes(1_000_000);

beforeAll(() => {
  pki = new OpensslPki();
});
afterAll(() => pki.close());

/** What a server answers that does so over AES-GCM. */
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
  return client.fetch(`https://localhost:${port}/`);
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'the memory of opened records is freed when HTTP has copied it, and not that of a head which is not complete, %s',
  async version => {
    const long = 'x'.repeat(10_000);
    const freed = countFreed();
    const { headers, body: stream } = await answerOf(async socket => {
      socket.write(`HTTP/1.1 200 OK\r\nlong: ${long}`);
      await sleep(50);
      socket.write(`${long}\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    }, version);
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream ?? []) chunks.push(chunk);
    expect(headers.get('long') === long + long).toBe(true);
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    expect(freed.bytes()).toBeGreaterThan(0.9 * body.length);
  },
);

const answer = async (socket: TLSSocket) => {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
  socket.write(body);
};

it('a body that is read whole leaves no chunks behind', async () => {
  const freed = countFreed();
  const response = await answerOf(answer, 'TLSv1.3');
  expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  expect(freed.bytes()).toBeGreaterThan(1.8 * body.length);
});

it('a body and its clone are both read whole', async () => {
  countFreed();
  const response = await answerOf(answer, 'TLSv1.3');
  const clone = response.clone();
  for (const read of [response, clone]) expect(Buffer.from(await read.arrayBuffer()).equals(body)).toBe(true);
});
