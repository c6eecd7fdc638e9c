#!/usr/bin/env node
// Part of `npm run bench`: the package as built, beside a peer or a bare baseline in the same run, in Node. Ratios count; times are this machine's.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import forge from 'node-forge';
import * as pkijs from 'pkijs';
import { WebSocket } from 'ws';
import { ensurePki } from '../demo/pki.mjs';
import { createClient, createWebSocketTunnel, evaluateTrust, openPkcs12 } from '../dist/index.js';
import { createRelay } from '../relay/dist/index.js';
import { clientPem, drain, openssl, writeBlocks } from './bench-parts.mjs';
import { report } from './bench-report.mjs';
import { medianTimes } from './median-times.js';

globalThis.WebSocket ??= WebSocket;
const ROUNDS = 7;
const JUDGEMENTS = 200;
const DOWNLOAD_BYTES = 64 * 1024 * 1024;
const TLS13_AES = 'TLS_AES_128_GCM_SHA256';
const TLS13_CHACHA = 'TLS_CHACHA20_POLY1305_SHA256';

const folder = mkdtempSync(join(tmpdir(), 'mtls-bench-'));
const pki = await ensurePki(folder);
const engine = await WebAssembly.compile(readFileSync('dist/engine.wasm'));
const { identities } = await openPkcs12(pki.samples[0].bytes, { password: pki.password, engine });
const relay = await createRelay({ allow: ['localhost:*'], origins: ['*'] });
const closers = [];

console.log(
  `${process.version}, ${cpus().length} x ${cpus()[0]?.model}; median of ${ROUNDS} unless said otherwise, in turn\n`,
);
await compare(`download of ${DOWNLOAD_BYTES >> 20} MiB`, await downloads());
await compare('new connection and one small request', await handshakes());
await compare(`${JUDGEMENTS} judgements of a chain of two, root apart`, judgements());
const tripleDes = ['-legacy', '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES'];
await compare('import, RSA-2048, 3DES, 2,048 iterations', imports(tripleDes), 31);
const aes = ['-iter', '600000', '-macalg', 'sha256', '-keypbe', 'AES-256-CBC', '-certpbe', 'AES-256-CBC'];
await compare('import, RSA-2048, AES-256, 600,000 iterations', imports(aes, { pkijsReads: true }), 3);
for (const close of closers) await close();
await relay.close();
rmSync(folder, { recursive: true });

/** Measures all in turn; the first is what the others are measured against. */
async function compare(title, entries, rounds = ROUNDS) {
  const medians = await medianTimes(
    entries.map(([, run]) => run),
    rounds,
  );
  const rows = entries.map(([name], index) => ({ name, ms: medians[index] }));
  report(rounds === ROUNDS ? title : `${title} (median of ${rounds})`, rows);
}

async function downloads() {
  const plain = createTcpServer(socket => writeBlocks(socket, DOWNLOAD_BYTES));
  const plainPort = await listen(plain);
  const raw = async () => {
    const { readable } = await createWebSocketTunnel(relay.url).connect({
      hostname: 'localhost',
      port: plainPort,
    });
    await drain(readable, DOWNLOAD_BYTES);
  };
  const entries = [['tunnel alone, no TLS', raw]];
  for (const [ciphers, name] of [
    [TLS13_AES, 'AES-128-GCM'],
    [TLS13_CHACHA, 'ChaCha20-Poly1305'],
  ]) {
    const port = await listen(server({ ciphers }));
    for (const protocol of ['h2', 'http/1.1']) {
      const url = `https://localhost:${protocol === 'h2' ? port : await listen(server({ ciphers, h1: true }))}/`;
      const client = await newClient();
      closers.unshift(() => client.close());
      entries.push([
        `fetch, ${protocol}, ${name}`,
        async () => drain((await client.fetch(url)).body, DOWNLOAD_BYTES),
      ]);
    }
  }
  return entries;
}

async function handshakes() {
  const port = await listen(server({ ciphers: TLS13_AES }));
  const { cert, key } = clientPem(folder, pki);
  const node = async () => {
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      ca: pki.caPem,
      cert,
      key,
      ALPNProtocols: ['http/1.1'],
    };
    const socket = connectTls(options);
    socket.write('HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
  };
  const ours = async () => {
    const client = await newClient();
    await client.fetch(`https://localhost:${port}/`, { method: 'HEAD' });
    await client.close();
  };
  return [
    ["Node's own TLS, no relay", node],
    ['a new client, through the relay', ours],
  ];
}

/** The baseline is what Node offers: signatures, issuers and the name, without dates, purposes, constraints and the search for a path. */
function judgements() {
  const chain = pki.servers.good.cert.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g);
  const anchors = [pki.caPem];
  const node = () => {
    for (let count = 0; count < JUDGEMENTS; count++) {
      const path = [...chain, pki.caPem].map(pem => new X509Certificate(pem));
      if (!path[0].checkHost('localhost')) throw new Error('another name');
      for (let at = 0; at + 1 < path.length; at++) {
        const [subject, issuer] = path.slice(at);
        if (!subject.checkIssued(issuer) || !subject.verify(issuer.publicKey)) throw new Error('no path');
      }
    }
  };
  const ours = async () => {
    for (let count = 0; count < JUDGEMENTS; count++) {
      const { trusted } = await evaluateTrust(chain, { anchors, hostname: 'localhost', engine });
      if (!trusted) throw new Error('not trusted');
    }
  };
  return [
    ["Node's X509Certificate: parts of it", node],
    ['evaluateTrust', ours],
  ];
}

/** Files by the openssl command: some of the demo's are in a form of BER that node-forge does not read. */
function imports(flags, { pkijsReads = false } = {}) {
  const file = join(folder, `${flags[0]}.p12`);
  const source = pki.samples.find(({ file: name }) => name.startsWith('grace-rsa'));
  const password = ['-passin', `pass:${pki.password}`];
  const pem = openssl('pkcs12', '-in', join(folder, source.file), ...password, '-nodes');
  const args = ['pkcs12', '-export', ...flags, '-passout', `pass:${pki.password}`, '-out', file];
  execFileSync('openssl', args, { input: pem });
  const bytes = readFileSync(file);
  const der = bytes.toString('binary');
  return [
    ['openssl pkcs12 -legacy -nodes', () => openssl('pkcs12', '-legacy', '-in', file, ...password, '-nodes')],
    ['openPkcs12', () => openPkcs12(bytes, { password: pki.password, engine })],
    ['node-forge', () => forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(der), pki.password)],
    // It knows none of the older schemes.
    ...(pkijsReads ? [['PKI.js', () => openWithPkijs(bytes)]] : []),
  ];
}

/** Integrity, then each part, then each key. */
async function openWithPkijs(bytes) {
  const password = new TextEncoder().encode(pki.password).buffer;
  const pfx = pkijs.PFX.fromBER(bytes);
  await pfx.parseInternalValues({ password, checkIntegrity: true });
  const { authenticatedSafe } = pfx.parsedValue;
  const parts = authenticatedSafe.safeContents.map(it =>
    it.contentType === pkijs.ContentInfo.ENCRYPTED_DATA ? { password } : {},
  );
  await authenticatedSafe.parseInternalValues({ safeContents: parts });
  for (const { value } of authenticatedSafe.parsedValue.safeContents) {
    for (const { bagValue } of value.safeBags)
      if (bagValue instanceof pkijs.PKCS8ShroudedKeyBag) await bagValue.parseInternalValues({ password });
  }
}

function newClient() {
  return createClient({ tunnel: relay.url, identities, trust: { anchors: [pki.caPem] }, engine });
}

function server({ ciphers, h1 = false }) {
  const options = { ...pki.servers.good, ca: pki.caPem, requestCert: true, ciphers, allowHTTP1: true };
  if (h1) options.ALPNProtocols = ['http/1.1'];
  return createSecureServer(options, (request, response) => {
    if (request.method === 'HEAD') return response.end();
    response.writeHead(200, { 'content-length': DOWNLOAD_BYTES });
    writeBlocks(response, DOWNLOAD_BYTES);
  });
}

async function listen(it) {
  it.on('connection', socket => socket.on('error', () => {}));
  it.listen(0, '127.0.0.1');
  await once(it, 'listening');
  closers.push(async () => it.close());
  return it.address().port;
}
