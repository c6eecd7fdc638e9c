import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls, createServer } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { OpensslPki } from '../../test/support/openssl-pki.js';
import { connect, sleep, startEcho, startRelay, startTarget, tunnelTo, until } from './support/harness.js';

/** A TLS server that echoes, behind a relay that asks for TLS. */
async function startTlsEcho() {
  const pki = new OpensslPki();
  const { cert, key } = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost,IP:127.0.0.1' });
  let connections = 0;
  const server = createServer({ cert, key }, socket => {
    connections++;
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    pki.close();
  });
  const { port } = server.address() as AddressInfo;
  const { relay } = await startRelay({
    allow: [`localhost:${port}`, `127.0.0.1:${port}`],
    requireClientHello: true,
  });
  return { relay, port, ca: pki.ca.cert, connections: () => connections };
}

async function dialTls(
  { relay, port, ca }: Awaited<ReturnType<typeof startTlsEcho>>,
  { hostname = 'localhost', servername = 'localhost' } = {},
) {
  const { readable, writable } = await tunnelTo(relay).connect({ hostname, port });
  const socket = Duplex.fromWeb({ readable, writable } as never);
  socket.on('error', () => {});
  return connectTls({
    socket,
    ca,
    ...(servername ? { servername } : {}),
    checkServerIdentity: () => undefined,
  });
}

test.each([
  ['a name', { hostname: 'LOCALHOST', servername: 'localhost' }],
  ['an address', { hostname: '127.0.0.1', servername: '' }],
])('TLS to %s passes', async (_name, how) => {
  const tls = await dialTls(await startTlsEcho(), how);
  tls.write('hello');
  expect(String((await once(tls, 'data'))[0])).toBe('hello');
  tls.destroy();
});

test.each([
  ['another name', { servername: 'other.test' }],
  ['no name', { servername: '' }],
  ['a name, where the target is an address', { hostname: '127.0.0.1', servername: 'localhost' }],
])('TLS for %s does not', async (_name, how) => {
  const server = await startTlsEcho();
  const tls = await dialTls(server, how);
  const [error] = await once(tls, 'error');
  expect(error).toMatchObject({
    code: 'ERR_TUNNEL_DENIED',
    message: expect.stringContaining('--require-tls'),
  });
  expect(server.connections()).toBe(0);
});

test('what is not TLS does not reach the target, at once or in pieces, nor does the end of nothing', async () => {
  const received: Buffer[] = [];
  const target = await startTarget(socket => {
    socket.on('data', chunk => received.push(chunk));
  });
  const { relay, events } = await startRelay({
    allow: [`127.0.0.1:${target.port}`],
    requireClientHello: true,
  });
  const attempts: (Uint8Array | undefined)[] = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Uint8Array.of(0),
    Uint8Array.of(22, 3, 1, 0, 2, 2, 0),
    undefined,
  ];
  for (const bytes of attempts) {
    const { reader, writer } = await connect(tunnelTo(relay), target.port);
    if (bytes) writer.write(bytes).catch(() => {});
    else writer.close().catch(() => {});
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_DENIED' });
  }
  expect(Buffer.concat(received)).toHaveLength(0);
  await until(() => events.filter(event => event.type === 'stream-closed' && event.code === 6).length === 4);
});

test('a target that speaks first is not heard', async () => {
  const target = await startTarget(socket => socket.write('SSH-2.0-server'));
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`], requireClientHello: true });
  const { reader } = await connect(tunnelTo(relay), target.port);
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_DENIED' });
});

test('half a ClientHello waits', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({ allow: [`127.0.0.1:${echo.port}`], requireClientHello: true });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port);
  await writer.write(Uint8Array.of(22, 3, 1, 0, 200, 1, 0, 0, 196));
  await sleep(100);
  expect(echo.sockets.map(({ bytesRead }) => bytesRead)).toEqual([0]);
  await reader.cancel();
});
