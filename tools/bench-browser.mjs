#!/usr/bin/env node
// The second half of `npm run bench`: the package as built in Chromium, beside Chromium's own fetch and WebSocket to the same server.
// Nothing is attached to the browser (a debugger slows WebSockets down); server, relay and browser are processes of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { WebSocketServer } from 'ws';
import { ensurePki } from '../demo/pki.mjs';
import { writeBlocks } from './bench-parts.mjs';
import { report } from './bench-report.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ROUNDS = 7;
const MIB = 1 << 20;
const SIZES = { downloadBytes: 64 * MIB, uploadBytes: 32 * MIB, textBytes: 16 * MIB };
const RESULT_TIMEOUT_MS = 5 * 60_000;
const FLAGS = [
  '--headless=new',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // For the browser's own requests: its users would have the authority in their system.
  '--ignore-certificate-errors',
];
const TYPES = {
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.html': 'text/html',
};

const folder = mkdtempSync(join(tmpdir(), 'mtls-bench-'));
const pki = await ensurePki(folder);
const server = await listening(target());
const pages = await listening(pageServer());
const relay = spawn(process.execPath, [
  'relay/dist/cli.js',
  ...['--listen', '127.0.0.1:0', '--allow', `localhost:${server.port}`, '--origin', pages.origin],
]);
const [relayUrl] = /ws:\/\/\S+/.exec(await printed(relay, /ws:\/\/\S+\s/));
const finished = deferred();
const timer = setTimeout(() => finished.reject(new Error('the page gave no result')), RESULT_TIMEOUT_MS);
const chromium = spawn(
  CHROMIUM,
  [
    ...FLAGS,
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    `--user-data-dir=${folder}/profile`,
    pages.origin,
  ],
  { stdio: 'ignore' },
);
chromium.once('error', finished.reject);

try {
  print(await finished.promise);
} finally {
  clearTimeout(timer);
  const ended = once(chromium, 'close');
  chromium.kill();
  await ended;
  relay.kill();
  server.close();
  pages.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
process.exit();

function print({ results, error }) {
  if (error) throw new Error(`the page failed: ${error}`);
  console.log(`in Chromium; median of ${ROUNDS}, in turn\n`);
  for (const { title, entries } of results) report(title, entries);
}

function deferred() {
  const it = {};
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }));
  return it;
}

/** Asks for no client certificate: the browser would ask the person for one. */
function target() {
  const text = Buffer.from(jsonText(SIZES.textBytes));
  const packed = gzipSync(text);
  const it = createSecureServer({ ...pki.servers.good, allowHTTP1: true }, (request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('cache-control', 'no-store');
    if (request.url === '/bytes') return writeBlocks(response, SIZES.downloadBytes);
    if (request.url === '/text') return response.end(text);
    if (request.url === '/text?gzip') {
      response.setHeader('content-encoding', 'gzip');
      return response.end(packed);
    }
    let bytes = 0;
    request.on('data', piece => {
      bytes += piece.length;
    });
    request.on('end', () => response.end(String(bytes)));
  });
  const sockets = new WebSocketServer({ server: it, maxPayload: 64 * MIB, perMessageDeflate: false });
  sockets.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })));
  return it;
}

function pageServer() {
  const config = () => ({ relay: relayUrl, ca: pki.caPem, origin: server.origin, rounds: ROUNDS, ...SIZES });
  const html = '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>';
  return createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    response.setHeader('content-type', TYPES[extname(pathname) || '.html'] ?? 'application/octet-stream');
    if (pathname === '/result') {
      const pieces = await request.toArray();
      response.end();
      finished.resolve(JSON.parse(Buffer.concat(pieces).toString()));
    } else if (pathname === '/') response.end(html);
    else if (pathname === '/config.json') response.end(JSON.stringify(config()));
    else if (pathname === '/page.js') response.end(readFileSync('tools/bench-page.js'));
    else if (pathname === '/median-times.js') response.end(readFileSync('tools/median-times.js'));
    else if (pathname.startsWith('/lib/')) response.end(readFileSync(join('dist', pathname.slice(5))));
    else response.writeHead(404).end();
  });
}

/** Records such as an API gives. */
function jsonText(length) {
  const lines = [];
  for (let bytes = 0, id = 0; bytes < length; id++) {
    const hash = Math.imul(id, 2_654_435_761) >>> 0;
    const line = JSON.stringify({
      id,
      name: `record ${id % 977}`,
      value: hash / 1000,
      tags: ['a', `t${hash % 50}`],
    });
    lines.push(line);
    bytes += line.length + 1;
  }
  return lines.join('\n').slice(0, length);
}

async function listening(it) {
  it.on('connection', socket => socket.on('error', () => {}));
  it.listen(0, '127.0.0.1');
  await once(it, 'listening');
  const { port } = it.address();
  const scheme = 'setSecureContext' in it ? 'https' : 'http';
  return { port, origin: `${scheme}://localhost:${port}`, close: () => it.close() };
}

async function printed(program, pattern) {
  let output = '';
  for await (const piece of program.stdout) {
    output += piece;
    if (pattern.test(output)) return output;
  }
  throw new Error(`the relay said: ${output}`);
}
