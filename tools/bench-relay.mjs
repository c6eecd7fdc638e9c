#!/usr/bin/env node
// Part of `npm run bench`: what a megabyte costs the relay in CPU time, beside a relay that joins `ws` and TCP and does nothing else.
// Relay, target and page each have a process of their own, so that only the relay's time is counted.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import { BenchPage, upgradeTo } from './bench-relay-page.mjs';

const MiB = 1024 * 1024;
const TOTAL_BYTES = 512 * MiB;
const WARM_UP_BYTES = 128 * MiB;
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const MESSAGE_BYTES = Number(process.env.MESSAGE_BYTES ?? 64 * 1024);

const roles = { ours: runRelay, bare: runBareRelay, target: runTarget, page: runPage };
const [role] = process.argv.slice(2);
if (role) await roles[role]();
else await main();

async function main() {
  const target = startProcess('target');
  const { port } = await target.ready;
  const relays = { ours: startProcess('ours'), bare: startProcess('bare', { TARGET_PORT: port }) };
  console.log(
    `relay: ${TOTAL_BYTES / MiB} MiB each way, MB per CPU second of the relay's process, median of ${ROUNDS}`,
  );
  for (const direction of (process.env.DIR ?? 'up down').split(' ')) {
    const rates = { ours: [], bare: [] };
    const walls = { ours: [], bare: [] };
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, relay] of Object.entries(relays)) {
        const { url } = await relay.ready;
        const bytes = round < 0 ? WARM_UP_BYTES : TOTAL_BYTES;
        const { cpuMs, wallMs } = await measure(relay, {
          url,
          port,
          direction,
          bytes,
          bare: name === 'bare',
        });
        if (round >= 0) {
          rates[name].push(bytes / 1e6 / (cpuMs / 1000));
          walls[name].push(bytes / 1e6 / (wallMs / 1000));
        }
      }
    }
    const [ours, bare] = [median(rates.ours), median(rates.bare)];
    for (const [name, rate] of [
      ['a bare ws relay', bare],
      ['this relay', ours],
    ]) {
      console.log(
        `  ${`${direction}, ${name}`.padEnd(44)} ${rate.toFixed(0).padStart(9)} MB/s ${(rate / bare).toFixed(2).padStart(6)} x`,
      );
    }
    if (process.env.BENCH_WALL) console.log('  wall', walls, rates);
  }
  for (const { child } of [target, ...Object.values(relays)])
    child.kill(process.env.PROF ? 'SIGINT' : 'SIGTERM');
}

async function measure(relay, job) {
  const before = await ask(relay.child, 'cpu');
  const startedAt = performance.now();
  const page = startProcess('page', { JOB: JSON.stringify(job) });
  await page.ready;
  const wallMs = performance.now() - startedAt;
  const after = await ask(relay.child, 'cpu');
  page.child.kill(process.env.PROF ? 'SIGINT' : 'SIGTERM');
  return { cpuMs: (after - before) / 1000, wallMs };
}

function startProcess(name, env = {}) {
  const child = fork(fileURLToPath(import.meta.url), [name], {
    execArgv: process.env.PROF === name ? ['--cpu-prof', '--cpu-prof-dir=/tmp/c-relay/prof'] : [],
    env: { ...process.env, ...env },
  });
  return { child, ready: once(child, 'message').then(([message]) => message) };
}

async function ask(child, question) {
  child.send(question);
  const [answer] = await once(child, 'message');
  return answer;
}

function answerCpu() {
  if (process.env.PROF) process.on('SIGINT', () => process.exit());
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
}

async function runRelay() {
  const { createRelay } = await import('../relay/dist/index.js');
  const relay = await createRelay({
    allow: ['127.0.0.1:*'],
    origins: ['*'],
    ...(process.env.WINDOW
      ? { windowBytes: Number(process.env.WINDOW), maxWindowBytes: Number(process.env.MAXW ?? 16777216) }
      : {}),
  });
  answerCpu();
  process.send({ url: relay.url });
}

async function runBareRelay() {
  const options = { host: '127.0.0.1', port: 0, perMessageDeflate: false };
  const server = new WebSocketServer(options, () => {
    answerCpu();
    process.send({ url: `ws://127.0.0.1:${server.address().port}/` });
  });
  server.on('connection', page => {
    const target = connectTcp({ port: Number(process.env.TARGET_PORT), host: '127.0.0.1', noDelay: true });
    target.on('error', () => page.terminate());
    target.on('drain', () => page.resume());
    target.on('data', bytes => {
      if (page.readyState !== WebSocket.OPEN) return;
      page.send(bytes, () => target.resume());
      if (page.bufferedAmount > 256 * 1024) target.pause();
    });
    target.on('end', () => page.close());
    page.on('message', bytes => {
      if (!target.write(bytes)) page.pause();
    });
    page.on('close', () => target.destroy());
  });
}

/** Takes a line with a number of bytes: those it sends as TLS records when positive, or takes and then ends when negative. */
async function runTarget() {
  const record = Buffer.alloc(5 + 16_401, 'x');
  record.set([23, 3, 3, 16_401 >> 8, 16_401 & 255]);
  const block = Buffer.concat(Array.from({ length: 4 }, () => record));
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', head => {
      const wanted = Number(String(head).split('\n')[0]);
      if (wanted > 0) send(socket, block, wanted);
      else take(socket, -wanted - (head.length - String(head).indexOf('\n') - 1));
    });
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

function send(socket, block, bytes) {
  let sent = 0;
  const more = () => {
    while (sent < bytes) {
      sent += block.length;
      if (!socket.write(block)) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
}

function take(socket, bytes) {
  let left = bytes;
  socket.on('data', chunk => {
    left -= chunk.length;
    if (left <= 0) socket.end('done');
  });
}

async function runPage() {
  const { url, port, direction, bytes, bare } = JSON.parse(process.env.JOB);
  const socket = await upgradeTo(url);
  const line = `${direction === 'up' ? -bytes : bytes}\n`;
  const page = new BenchPage(socket, { port, bare });
  page.send(Buffer.from(line));
  if (direction === 'up') await page.upload(bytes, MESSAGE_BYTES);
  await page.received(direction === 'up' ? 'done'.length : bytes);
  process.send('done');
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
