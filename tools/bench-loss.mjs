#!/usr/bin/env node
// `npm run build && node tools/bench-loss.mjs`: a small message beside three downloads through a slow path that loses packets, over one
// WebSocket and over four. Each of the four has a quarter of the path's rate.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createWebSocketTunnel } from '../dist/index.js';
import { createRelay } from '../relay/dist/index.js';
import { startFaultProxy } from '../test/support/fault-proxy/start.mjs';

const ONE_WAY_MS = 25;
const BYTES_PER_SECOND = 4_000_000;
const RECOVERY_MS = 100;
const WARM_UP_MS = 2_000;
const MEASURED_MS = 8_000;
const PAUSE_MS = 20;
const MESSAGE_BYTES = 100;

const block = Buffer.alloc(65_536, 1);
const endless = await listen(socket => {
  const say = () => {
    while (socket.write(block));
  };
  socket.on('drain', say);
  say();
});
const echo = await listen(socket => socket.pipe(socket));
const relay = await createRelay({ allow: ['127.0.0.1:*'], origins: ['*'] });

console.log(
  `${2 * ONE_WAY_MS} ms, ${BYTES_PER_SECOND / 1e6} MB/s; a lost segment comes ${RECOVERY_MS} ms later\n`,
);
for (const lossRate of [0, 0.01]) for (const sockets of [1, 4]) console.log(await measure(lossRate, sockets));
process.exit();

async function measure(lossRate, sockets) {
  const toClient = {
    delayMs: ONE_WAY_MS,
    lossRate,
    recoveryMs: RECOVERY_MS,
    bytesPerSecond: BYTES_PER_SECOND / sockets,
    queueBytes: 65_536,
  };
  const proxy = await startFaultProxy(relay.address.port, { toServer: { delayMs: ONE_WAY_MS }, toClient });
  const tunnel = createWebSocketTunnel(`ws://127.0.0.1:${proxy.port}/`, { sockets, WebSocket });
  const { readable, writable } = await tunnel.connect(echo);
  const [reader, writer] = [readable.getReader(), writable.getWriter()];
  const downloads = await Promise.all([1, 2, 3].map(() => download(tunnel)));
  await delay(WARM_UP_MS);

  const before = sum(downloads);
  const startMs = performance.now();
  const times = [];
  while (performance.now() - startMs < MEASURED_MS) {
    const sentMs = performance.now();
    await writer.write(new Uint8Array(MESSAGE_BYTES));
    for (let bytes = 0; bytes < MESSAGE_BYTES; ) bytes += (await reader.read()).value.length;
    times.push(performance.now() - sentMs);
    await delay(PAUSE_MS);
  }
  const rate = (sum(downloads) - before) / 1e3 / (performance.now() - startMs);
  for (const it of [...downloads.map(({ reader }) => reader), reader]) await it.cancel();
  tunnel.close();
  await proxy.stop();

  times.sort((a, b) => a - b);
  const at = share => times[Math.floor(times.length * share)].toFixed(0);
  return `${lossRate * 100} % lost, ${sockets} WebSocket(s): downloads ${rate.toFixed(2)} MB/s, message there and back ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}

async function download(tunnel) {
  const { readable } = await tunnel.connect(endless);
  const reader = readable.getReader();
  const progress = { reader, bytes: 0 };
  const read = async () => {
    for (let it = await reader.read(); !it.done; it = await reader.read()) progress.bytes += it.value.length;
  };
  read().catch(() => {});
  return progress;
}

function sum(downloads) {
  return downloads.reduce((bytes, it) => bytes + it.bytes, 0);
}

async function listen(onSocket) {
  const server = createServer(socket => onSocket(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { hostname: '127.0.0.1', port: server.address().port };
}
