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
/** Until V8 has compiled what runs often: it takes that long, and hardly any time in a relay that runs for days. */
const WARM_UP_BYTES = 1024 * MiB;
const ROUNDS = 5;
/** Real pages send 245,625 (15 full TLS records) when they have much: the number can be given as an argument. */
const MESSAGE_BYTES = 64 * 1024;

const roles = { ours: runRelay, bare: runBareRelay, target: runTarget, page: runPage };
const [argument] = process.argv.slice(2);
const role = roles[argument];
if (role) await role();
else await main(Number(argument ?? MESSAGE_BYTES));

async function main(messageBytes) {
  const target = startProcess('target');
  const { port } = await target.ready;
  const relays = [
    ['a bare ws relay', startProcess('bare', { TARGET_PORT: port })],
    ['this relay', startProcess('ours')],
    // An environment variable of `ws`.
    ['this relay without bufferutil', startProcess('ours', { WS_NO_BUFFER_UTIL: '1' })],
  ];
  console.log(
    `relay: MB per CPU second of its process, ${TOTAL_BYTES / MiB} MiB each way, median of ${ROUNDS}, in turn; messages of ${messageBytes} bytes`,
  );
  for (const direction of ['up', 'down']) await compare(relays, { direction, port, messageBytes });
  for (const { child } of [target, ...relays.map(([, relay]) => relay)]) child.kill();
}

/** The first is what the others are measured against. */
async function compare(relays, job) {
  const rates = relays.map(() => []);
  for (const [, relay] of relays) await megabytesPerSecond(relay, { ...job, bytes: WARM_UP_BYTES });
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [, relay]] of relays.entries())
      rates[index].push(await megabytesPerSecond(relay, { ...job, bytes: TOTAL_BYTES }));
  }
  const medians = rates.map(median);
  for (const [index, [name]] of relays.entries()) {
    const [rate, ratio] = [medians[index].toFixed(0), (medians[index] / medians[0]).toFixed(2)];
    console.log(`  ${`${job.direction}, ${name}`.padEnd(44)} ${rate.padStart(9)} MB ${ratio.padStart(7)} x`);
  }
}

async function megabytesPerSecond(relay, job) {
  const { url, bare } = await relay.ready;
  const before = await ask(relay.child, 'cpu');
  const page = startProcess('page', { JOB: JSON.stringify({ ...job, url, bare }) });
  await page.ready;
  const after = await ask(relay.child, 'cpu');
  page.child.kill();
  return job.bytes / (after - before);
}

function startProcess(name, env = {}) {
  const child = fork(fileURLToPath(import.meta.url), [name], { env: { ...process.env, ...env } });
  return { child, ready: once(child, 'message').then(([message]) => message) };
}

async function ask(child, question) {
  child.send(question);
  const [answer] = await once(child, 'message');
  return answer;
}

function answerCpu() {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
}

async function runRelay() {
  const { createRelay } = await import('../relay/dist/index.js');
  const relay = await createRelay({ allow: ['127.0.0.1:*'], origins: ['*'] });
  answerCpu();
  process.send({ url: relay.url, bare: false });
}

async function runBareRelay() {
  const options = { host: '127.0.0.1', port: 0, perMessageDeflate: false };
  const server = new WebSocketServer(options, () => {
    answerCpu();
    process.send({ url: `ws://127.0.0.1:${server.address().port}/`, bare: true });
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

/** Takes a line with a number: it sends so many bytes, as TLS records, or takes as many as a negative one says and then ends. */
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
  const { url, port, direction, bytes, bare, messageBytes } = JSON.parse(process.env.JOB);
  const socket = await upgradeTo(url);
  const line = `${direction === 'up' ? -bytes : bytes}\n`;
  const page = new BenchPage(socket, { port, bare });
  page.send(Buffer.from(line));
  if (direction === 'up') await page.upload(bytes, messageBytes);
  await page.received(direction === 'up' ? 'done'.length : bytes);
  process.send('done');
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
