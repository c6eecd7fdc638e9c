// Real servers that insist on a client certificate and answer, as JSON, who they take the client to be.
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const BLOCK = Buffer.from(Array.from({ length: 64 * 1024 }, (_, index) => index % 251));
const MAX_BYTES = 1024 ** 3;
const MAX_SECONDS = 60;

/**
 * What the demo runs: one server that does it all, one that is held to the past, and three that no client should trust.
 * `expect` is the code that the page should get.
 */
const SERVERS = [
  { id: 'modern', title: 'HTTP/2, TLS 1.3', certificate: 'good', create: modernServer },
  { id: 'tls12', title: 'HTTP/1.1, TLS 1.2', certificate: 'good', create: tls12Server },
  {
    id: 'wrong-name',
    title: 'Certificate for another name',
    certificate: 'wrongName',
    create: modernServer,
    expect: 'ERR_TLS_CERT_NAME',
  },
  {
    id: 'expired',
    title: 'Expired certificate',
    certificate: 'expired',
    create: modernServer,
    expect: 'ERR_TLS_CERT_EXPIRED',
  },
  {
    id: 'untrusted',
    title: 'Certificate of an unknown CA',
    certificate: 'untrusted',
    create: modernServer,
    expect: 'ERR_TLS_CERT_UNTRUSTED',
  },
];

/**
 * Starts them all on the loopback address.
 * @param {{ caPem: string, servers: Record<string, { cert: string, key: string }> }} pki
 * @param {(server: import('node:net').Server) => Promise<number>} listen binds a server and gives its port
 */
export async function startServers(pki, listen) {
  const running = [];
  const close = () => Promise.all(running.map(stop => stop()));
  const targets = [];
  try {
    for (const { id, title, certificate, create, expect } of SERVERS) {
      const server = create({
        ...pki.servers[certificate],
        ca: pki.caPem,
        requestCert: true,
        rejectUnauthorized: true,
      });
      takeSockets(server);
      const port = await listen(server);
      running.push(stopperOf(server));
      targets.push({ id, title, hostname: 'localhost', port, ...(expect && { expect }) });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { targets, close };
}

function modernServer(options) {
  return createSecureServer({ ...options, allowHTTP1: true }, answer);
}

function tls12Server(options) {
  return createServer({ ...options, maxVersion: 'TLSv1.2' }, answer);
}

/** WebSockets at `/socket`: each is greeted by its certificate, and gets back what it sends. */
function takeSockets(server) {
  const sockets = new WebSocketServer({ server, path: '/socket' });
  sockets.on('connection', (socket, request) => {
    socket.on('error', () => {});
    const certificate = request.socket.getPeerX509Certificate();
    socket.send(`Welcome, ${oneLine(certificate.subject)}.`);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
}

/** Sockets outlive `server.close()` while they are in use; a demo that was told to stop does not wait for them. */
function stopperOf(server) {
  const sockets = new Set();
  server.on('connection', socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'https://localhost');
  try {
    if (pathname === '/echo') await echo(request, response);
    else if (pathname === '/bytes') await bytes(response, searchParams.get('size'));
    else if (pathname === '/slow') await slow(response, searchParams.get('seconds'));
    else if (pathname === '/') json(response, 200, whoIs(request));
    else
      json(response, 404, {
        error: 'not found',
        paths: ['/', '/echo', '/bytes?size=N', '/slow?seconds=N', '/socket (WebSocket)'],
      });
  } catch {
    // The client went away in the middle, which is its right.
    response.destroy?.();
  }
}

async function echo(request, response) {
  response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' });
  await pipeline(request, response);
}

async function bytes(response, sizeText) {
  const size = Number(sizeText ?? '1000');
  if (!Number.isInteger(size) || size < 0 || size > MAX_BYTES) {
    json(response, 400, { error: `size must be a whole number from 0 to ${MAX_BYTES}` });
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
  await pipeline(Readable.from(blocks(size), { objectMode: false }), response);
}

function* blocks(size) {
  for (let left = size; left > 0; left -= BLOCK.length) yield BLOCK.subarray(0, left);
}

async function slow(response, secondsText) {
  const seconds = Math.min(Math.max(Number(secondsText ?? '5') || 0, 0), MAX_SECONDS);
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  for (let second = 1; second <= seconds && !response.destroyed; second++) {
    response.write(`${second} of ${seconds}\n`);
    await delay(1000);
  }
  response.end();
}

function whoIs(request) {
  const socket = request.stream?.session?.socket ?? request.socket;
  const certificate = socket.getPeerX509Certificate();
  return {
    client: certificate && {
      subject: oneLine(certificate.subject),
      issuer: oneLine(certificate.issuer),
      serialNumber: certificate.serialNumber.toLowerCase(),
      fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      notBefore: new Date(certificate.validFrom).toISOString(),
      notAfter: new Date(certificate.validTo).toISOString(),
    },
    tls: {
      version: socket.getProtocol(),
      cipher: socket.getCipher().standardName,
      alpn: socket.alpnProtocol || null,
      resumed: socket.isSessionReused(),
    },
    request: {
      method: request.method,
      path: request.url,
      httpVersion: request.httpVersion,
      headers: headersOf(request),
    },
  };
}

/** Node gives one attribute a line in the order of the certificate; RFC 4514 writes them the other way round. */
function oneLine(name) {
  return name.split('\n').reverse().join(',');
}

/** Of h2's pseudo headers, `:method` and `:path` are told already; the symbols that Node adds are not JSON. */
function headersOf(request) {
  return Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(':')));
}

function json(response, status, value) {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(`${JSON.stringify(value, null, 2)}\n`);
}
