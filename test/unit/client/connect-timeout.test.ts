import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createClient } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';

test('a server that takes the connection and says nothing is given up', async () => {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}).resume());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await createClient({ tunnel: tcpTunnel, engine: engineModule(), connectTimeoutMs: 1_000 });
  try {
    const { port } = server.address() as AddressInfo;
    await expect(client.fetch(`https://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'ERR_TLS_TIMEOUT',
    });
    expect(sockets).toHaveLength(1);
  } finally {
    await client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

test.each([0, -1, 1.5, Number.NaN, 2 ** 31])('%s is no time', async connectTimeoutMs => {
  const client = createClient({ tunnel: tcpTunnel, engine: engineModule(), connectTimeoutMs });
  await expect(client).rejects.toThrow(
    new TypeError('connectTimeoutMs: a whole number from 1 to 2147483647'),
  );
});
