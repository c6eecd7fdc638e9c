import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type MtlsClient, type Socket } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../support/openssl-pki.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';

const pki = new OpensslPki();
let pair: KeyPair;
let client: MtlsClient;
const servers: Server[] = [];

beforeAll(async () => {
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  client = await createClient({
    tunnel: tcpTunnel,
    trust: { anchors: [pki.ca.cert] },
    identities: [await identityOf(pki.issue({ subject: '/CN=Ada' }))],
    engine: engineModule(),
  });
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(async () => {
  await client.close();
  pki.close();
});

async function serve(onSocket: (socket: TLSSocket) => void, options: TlsOptions = {}) {
  const tls = { ...pair, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true, allowHalfOpen: true };
  const server = createServer({ ...tls, ...options }, socket => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.on('tlsClientError', () => {});
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { hostname: 'localhost', port: (server.address() as AddressInfo).port };
}

const text = (value: string) => new TextEncoder().encode(value);

async function readAll({ readable }: Socket): Promise<string> {
  let all = '';
  for await (const chunk of readable) all += Buffer.from(chunk).toString();
  return all;
}

/** Node leaves close_notify out when it is told to end while it still writes. */
function endWith(socket: TLSSocket, words: string): void {
  socket.write(words);
  setTimeout(() => socket.end(), 300);
}

/** The server has seen the end. */
async function left([socket]: TLSSocket[]): Promise<void> {
  socket?.resume();
  await expect.poll(() => socket?.readableEnded || socket?.destroyed).toBe(true);
}

describe('the shape', () => {
  it('is that of the Sockets API', async () => {
    const address = await serve(socket => socket.end(), { ALPNProtocols: ['b', 'c'] });
    const socket = client.connect(address, { alpn: ['a', 'b'] });
    expect(socket).toMatchObject({ secureTransport: 'on', upgraded: false });
    expect(() => socket.startTls()).toThrow(TypeError);
    const remoteAddress = `localhost:${address.port}`;
    expect(await socket.opened).toEqual({ remoteAddress, localAddress: null, alpn: 'b' });
    const other = client.connect(remoteAddress);
    expect(await other.opened).toEqual({ remoteAddress, localAddress: null, alpn: null });
  });

  it.each(['localhost', 'localhost:', ':1', 'localhost:0', 'localhost:65536', '::1:443', 'localhost:1x'])(
    'refuses the address %s',
    address => {
      expect(() => client.connect(address)).toThrow(TypeError);
    },
  );

  it.each([
    { secureTransport: 'off' },
    { secureTransport: 'starttls' },
    { alpn: [''] },
    { alpn: [1] },
    { alpn: ['é'.repeat(128)] },
  ])('refuses the options %j', options => {
    expect(() => client.connect('localhost:1', options as object)).toThrow(TypeError);
  });
});

describe('the ends', () => {
  it('of the server closes our side, behind what was written; closed resolves', async () => {
    const received: Buffer[] = [];
    let ended = false;
    const address = await serve(socket => {
      socket
        .on('data', data => received.push(data))
        .on('end', () => {
          ended = true;
        });
      endWith(socket, 'all there is');
    });
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    const written = writer.write(text('first'));
    expect(await readAll(socket)).toBe('all there is');
    await socket.closed;
    await written;
    await expect.poll(() => ended).toBe(true);
    expect(Buffer.concat(received).toString()).toBe('first');
    // What is closed already may be closed again, but not written to.
    await writer.close();
  });

  it('of the server makes a later write fail', async () => {
    const address = await serve(socket => socket.end());
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    writer.closed.catch(() => {});
    await readAll(socket);
    await socket.closed;
    await expect(writer.write(text('late'))).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
  });

  it('of the server is noticed although nobody reads', async () => {
    const address = await serve(socket => socket.end());
    await client.connect(address).closed;
  });

  it('of the server leaves our side open with allowHalfOpen', async () => {
    let received = '';
    const address = await serve(socket => {
      endWith(socket, 'question');
      socket.on('data', data => {
        received += data;
      });
    });
    const socket = client.connect(address, { allowHalfOpen: true });
    expect(await readAll(socket)).toBe('question');
    const writer = socket.writable.getWriter();
    await writer.write(text('ans'));
    await writer.write(text('wer'));
    await writer.close();
    await socket.closed;
    await expect.poll(() => received).toBe('answer');
  });

  it('of ours leaves the server’s open', async () => {
    const address = await serve(socket => {
      let received = '';
      socket.on('data', data => {
        received += data;
      });
      socket.on('end', () => socket.end(`got ${received}`));
    });
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    writer.write(text('all'));
    await writer.close();
    expect(await readAll(socket)).toBe('got all');
    await socket.closed;
  });

  it('by a cut fails both streams and closed', async () => {
    const address = await serve(socket => socket.write('part', () => setTimeout(() => socket.destroy(), 50)));
    const socket = client.connect(address);
    const truncated = { code: 'ERR_TLS_TRUNCATED' };
    await expect(readAll(socket)).rejects.toMatchObject(truncated);
    await expect(socket.closed).rejects.toMatchObject(truncated);
    await expect(socket.writable.getWriter().closed).rejects.toMatchObject(truncated);
  });

  it('by close(reason) fails both streams with it, and closed resolves', async () => {
    const sockets: TLSSocket[] = [];
    const address = await serve(socket => void sockets.push(socket));
    const socket = client.connect(address);
    await expect.poll(() => sockets).toHaveLength(1);
    const reason = new Error('enough');
    await socket.close(reason);
    await socket.closed;
    await expect(socket.readable.getReader().read()).rejects.toBe(reason);
    await expect(socket.writable.getWriter().write(text('x'))).rejects.toBe(reason);
    await left(sockets);
  });

  it('by cancelling the readable gives the connection up', async () => {
    const sockets: TLSSocket[] = [];
    const address = await serve(socket => void sockets.push(socket));
    const socket = client.connect(address);
    await expect.poll(() => sockets).toHaveLength(1);
    await socket.readable.cancel();
    await socket.closed;
    await left(sockets);
  });

  it('by aborting the writable gives the connection up, and closed rejects with the reason', async () => {
    const sockets: TLSSocket[] = [];
    const address = await serve(socket => {
      sockets.push(socket);
      socket.pause();
    });
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    const stuck = writer.write(new Uint8Array(32 << 20)).catch(error => error);
    await expect.poll(() => sockets).toHaveLength(1);
    const reason = new Error('enough');
    await writer.abort(reason);
    await expect(socket.closed).rejects.toBe(reason);
    expect(await stuck).toBe(reason);
    await left(sockets);
  });

  it('by a wrong chunk fails the socket', async () => {
    const address = await serve(() => {});
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    writer.closed.catch(() => {});
    await expect(writer.write('text' as unknown as Uint8Array)).rejects.toThrow(TypeError);
    await expect(socket.closed).rejects.toThrow(TypeError);
  });
});

describe('large transfers', () => {
  it('of 48 MiB both ways at once arrive as they are', async () => {
    const address = await serve(socket => socket.pipe(socket));
    const socket = client.connect(address);
    const block = randomBytes(1 << 20);
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const write = async () => {
      const writer = socket.writable.getWriter();
      for (let i = 0; i < 48; i++) {
        sent.update(block);
        await writer.write(block);
      }
      await writer.close();
    };
    const read = async () => {
      for await (const chunk of socket.readable) received.update(chunk);
    };
    await Promise.all([write(), read()]);
    await socket.closed;
    expect(received.digest('hex')).toBe(sent.digest('hex'));
  });

  it('wait for a server that does not read', async () => {
    const sockets: TLSSocket[] = [];
    const address = await serve(socket => {
      sockets.push(socket);
      socket.pause();
    });
    const socket = client.connect(address);
    const writer = socket.writable.getWriter();
    let written = 0;
    const writing = (async () => {
      for (; written < 64; written++) {
        await writer.ready;
        await writer.write(new Uint8Array(1 << 20));
      }
    })();
    await socket.opened;
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(written).toBeLessThan(32);
    sockets[0]?.resume();
    await writing;
    expect(written).toBe(64);
    await socket.close();
  });

  it('wait for a page that does not read', async () => {
    let sent = 0;
    const address = await serve(socket => {
      const block = randomBytes(1 << 20);
      const send = () => {
        while (sent < 64 && socket.write(block)) sent++;
      };
      socket.on('drain', send);
      send();
    });
    const socket = client.connect(address);
    await socket.opened;
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(sent).toBeLessThan(32);
    const reader = socket.readable.getReader();
    for (let received = 0; received < 32 << 20; ) received += (await reader.read()).value?.length ?? 0;
    await socket.close();
  });
});
