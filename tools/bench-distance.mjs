#!/usr/bin/env node
// The last part of `npm run bench`: transfers over a distance, in Node. A proxy in a process of its own delays each byte between page and
// relay, beside Node's own https through the same delay to the server. Arguments: other round trips, in milliseconds; with 1,000 or more
// processor time hardly counts, and what is left are round trips.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { Agent, createServer as createHttpsServer, request as requestHttps } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { ensurePki } from '../demo/pki.mjs';
import { createClient, createWebSocketTunnel, openPkcs12 } from '../dist/index.js';
import { createRelay } from '../relay/dist/index.js';
import { distance, startFaultProxy } from '../test/support/fault-proxy/start.mjs';
import { clientPem, drain, writeBlocks } from './bench-parts.mjs';
import { medianTimes } from './median-times.js';

globalThis.WebSocket ??= WebSocket;
const ROUNDS = 3;
const ROUND_TRIPS_MS = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [0, 50, 100];
const MIB = 1 << 20;
const DOWN_BYTES = 32 * MIB;
const UP_BYTES = 16 * MIB;
/** Says how many bytes follow. */
const HEAD_BYTES = 4;
/** Of the h2 server, for uploads: Node's own is 64 KiB each round trip. */
const SERVER_WINDOW_BYTES = 16 * MIB;
/** Connections wait for their turn. */
const KEEP_ALIVE_MS = 5 * 60_000;

const folder = mkdtempSync(join(tmpdir(), 'mtls-bench-'));
const pki = await ensurePki(folder);
const engine = await WebAssembly.compile(readFileSync('dist/engine.wasm'));
const { identities } = await openPkcs12(pki.samples[0].bytes, { password: pki.password, engine });
const relay = await createRelay({ allow: ['localhost:*'], origins: ['*'] });
const upload = new Uint8Array(UP_BYTES).fill(7);
const closers = [];
const settings = { ...pki.servers.good, ca: pki.caPem, requestCert: true };
const ports = {
  h2: await listen(h2Server()),
  'HTTP/1.1': await listen(createHttpsServer({ ...settings, keepAliveTimeout: KEEP_ALIVE_MS }, answer)),
  plain: await listen(createTcpServer({ allowHalfOpen: true }, answerPlain)),
};

console.log(`${process.version}, ${cpus().length} x ${cpus()[0]?.model}; median of ${ROUNDS}, in turn\n`);
for (const roundTripMs of ROUND_TRIPS_MS) await compare(roundTripMs);
for (const close of closers) await close();
await relay.close();
rmSync(folder, { recursive: true });

async function compare(roundTripMs) {
  const relayProxy = await startFaultProxy(Number(new URL(relay.url).port), distance(roundTripMs));
  const serverProxy = await startFaultProxy(ports['HTTP/1.1'], distance(roundTripMs));
  // One for each: the streams of a WebSocket share what their windows may grow by.
  const newTunnel = () => createWebSocketTunnel(`ws://127.0.0.1:${relayProxy.port}/`);
  const tunnel = newTunnel();
  const clients = [];
  for (const protocol of ['HTTP/1.1', 'h2']) {
    const client = await createClient({
      ...{ tunnel: newTunnel(), engine, identities },
      trust: { anchors: [pki.caPem] },
    });
    clients.push({ protocol, client, url: `https://localhost:${ports[protocol]}/` });
  }
  const node = nodesOwn(serverProxy.port);
  const kept = await openBare(tunnel);
  const down = [
    ['tunnel alone, no TLS', () => kept.move(0)],
    ['the same, a new stream', () => anew(tunnel, 0)],
    ...clients.map(({ protocol, client, url }) => [
      `fetch, ${protocol}`,
      async () => drain((await client.fetch(url)).body, DOWN_BYTES),
    ]),
    ["Node's https, no relay", () => node.get()],
  ];
  const up = [
    ['tunnel alone, no TLS', () => kept.move(UP_BYTES)],
    ['the same, a new stream', () => anew(tunnel, UP_BYTES)],
    ...clients.map(({ protocol, client, url }) => [
      `fetch, ${protocol}`,
      async () => check(await (await client.fetch(url, { method: 'POST', body: upload })).text()),
    ]),
    ["Node's https, no relay", () => node.post()],
  ];
  await print(`${DOWN_BYTES / MIB} MiB down`, { bytes: DOWN_BYTES, roundTripMs }, down);
  await print(`${UP_BYTES / MIB} MiB up`, { bytes: UP_BYTES, roundTripMs }, up);
  await kept.close();
  tunnel.close();
  for (const { client } of clients) await client.close();
  node.close();
  for (const proxy of [relayProxy, serverProxy]) await proxy.stop();
}

/** The first is what the others are measured against. A round before the first opens the connections. */
async function print(title, { bytes, roundTripMs }, entries) {
  for (const [, run] of entries) await run();
  const medians = await medianTimes(
    entries.map(([, run]) => run),
    ROUNDS,
  );
  console.log(`${title}, ${roundTripMs} ms`);
  for (const [index, [name]] of entries.entries()) {
    const rate = bytes / MIB / (medians[index] / 1000);
    const ratio = medians[0] / medians[index];
    const roundTrips = roundTripMs > 0 ? ` ${(medians[index] / roundTripMs).toFixed(1)} round trips` : '';
    console.log(
      `  ${name.padEnd(26)} ${medians[index].toFixed(0).padStart(6)} ms ${rate.toFixed(1).padStart(7)} MiB/s ${ratio.toFixed(2).padStart(6)} of the tunnel${roundTrips}`,
    );
  }
  console.log();
}

/** A stream of the tunnel alone, whose windows grow with what it moves. */
async function openBare(tunnel) {
  const { readable, writable } = await tunnel.connect({ hostname: 'localhost', port: ports.plain });
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  return {
    /** Sends the number of bytes that follow, and those; without any, bytes come back. */
    async move(bytes) {
      const head = new Uint8Array(HEAD_BYTES);
      new DataView(head.buffer).setUint32(0, bytes);
      await writer.write(head);
      if (bytes > 0) await writer.write(upload);
      let left = bytes > 0 ? 1 : DOWN_BYTES;
      while (left > 0) left -= (await reader.read()).value.length;
    },
    close: () => writer.close(),
  };
}

async function anew(tunnel, bytes) {
  const stream = await openBare(tunnel);
  await stream.move(bytes);
  await stream.close();
}

function answerPlain(socket) {
  let left = 0;
  socket.on('end', () => socket.end());
  socket.on('data', piece => {
    const isFirst = left === 0;
    if (isFirst) left = HEAD_BYTES + piece.readUInt32BE(0);
    const isDownload = isFirst && left === HEAD_BYTES;
    left -= piece.length;
    if (left > 0) return;
    if (isDownload) void writeBlocks(socket, DOWN_BYTES, false);
    else socket.write('.');
  });
}

function h2Server() {
  const server = createSecureServer(
    { ...settings, settings: { initialWindowSize: SERVER_WINDOW_BYTES } },
    answer,
  );
  return server.on('session', session => session.setLocalWindowSize(SERVER_WINDOW_BYTES));
}

async function answer(request, response) {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-length': DOWN_BYTES });
    return writeBlocks(response, DOWN_BYTES);
  }
  let received = 0;
  for await (const piece of request) received += piece.length;
  return response.end(String(received));
}

function nodesOwn(port) {
  const { cert, key } = clientPem(folder, pki);
  const agent = new Agent({ keepAlive: true, ca: pki.caPem, cert, key, servername: 'localhost' });
  const ask = (method, body) =>
    new Promise((resolve, reject) => {
      requestHttps({ host: '127.0.0.1', port, agent, method }, resolve).once('error', reject).end(body);
    });
  return {
    get: async () => drain(await ask('GET'), DOWN_BYTES),
    post: async () => check(Buffer.concat(await (await ask('POST', upload)).toArray()).toString()),
    close: () => agent.destroy(),
  };
}

function check(received) {
  if (received !== String(UP_BYTES)) throw new Error(`the server has received ${received} bytes`);
}

async function listen(it) {
  it.on('connection', socket => socket.on('error', () => {}));
  it.listen(0, '127.0.0.1');
  await once(it, 'listening');
  closers.push(async () => it.close());
  return it.address().port;
}
