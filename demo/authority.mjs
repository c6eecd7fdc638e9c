// The certificate authority of the demo: smallstep's step-ca where there is one, otherwise a stand-in that answers the same
// requests, so that `npm start` needs npm alone.
import { spawn } from 'node:child_process';
import {
  createHash,
  generateKeyPairSync,
  randomUUID,
  sign,
  timingSafeEqual,
  X509Certificate,
} from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { issueForRequest, reissue } from './pki.mjs';

const MODULE = 'github.com/smallstep/certificates/cmd/step-ca@v0.30.2';
const PROVISIONER = 'demo';
const START_TIMEOUT_MS = 20_000;
const TOKEN_SECONDS = 300;
const MAX_REQUEST_BYTES = 64 * 1024;

/**
 * @param {{ pki: object, port: number, build: boolean }} options `build`: make step-ca with Go when there is none
 * @returns {Promise<{ kind: 'step-ca' | 'stand-in', url: string, makeToken: (subject: string, names: string[]) => string, close: () => Promise<void> }>}
 */
export async function startAuthority({ pki, port, build }) {
  const binary = findStepCa() ?? (build ? await buildStepCa() : undefined);
  return binary ? startStepCa({ pki, port, binary }) : startStandIn({ pki, port });
}

const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'browser-mtls');

function findStepCa() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(homedir(), 'go', 'bin'), cacheFolder()];
  return folders.map(folder => join(folder, 'step-ca')).find(existsSync);
}

async function buildStepCa() {
  console.log('Building step-ca with Go, once; that takes a minute or two …');
  mkdirSync(cacheFolder(), { recursive: true });
  const env = { ...process.env, CGO_ENABLED: '0', GOBIN: cacheFolder() };
  const child = spawn('go', ['install', MODULE], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve, reject) => {
    child.once('error', () =>
      reject(new Error('--step-ca needs Go (https://go.dev), or step-ca on the PATH')),
    );
    child.once('exit', resolve);
  });
  if (code !== 0) throw new Error('step-ca could not be built');
  return join(cacheFolder(), 'step-ca');
}

async function startStepCa({ pki, port, binary }) {
  const folder = mkdtempSync(join(tmpdir(), 'browser-mtls-step-ca-'));
  const write = (name, content) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  const key = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  const config = {
    root: write('root.pem', pki.enrolment.root),
    crt: write('ca.pem', pki.enrolment.cert),
    key: write('ca.key', pki.enrolment.key),
    address: `127.0.0.1:${port}`,
    dnsNames: ['localhost', '127.0.0.1'],
    logger: { format: 'text' },
    authority: { provisioners: [{ type: 'JWK', name: PROVISIONER, key }] },
  };
  const child = spawn(binary, [write('ca.json', JSON.stringify(config))], {
    env: { ...process.env, STEPPATH: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await serving(child);
  } catch (error) {
    await close();
    throw error;
  }
  const url = `https://localhost:${port}`;
  const makeToken = (subject, names) =>
    jwt({ alg: 'ES256', typ: 'JWT', kid }, claims({ url, subject, names }), privateKey);
  return { kind: 'step-ca', url, makeToken, close };
}

function serving(child) {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`step-ca does not start: ${output}`)), START_TIMEOUT_MS);
    const read = chunk => {
      output += chunk;
      if (!output.includes('Serving HTTPS on')) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`step-ca ended: ${output}`)));
  });
}

function claims({ url, subject, names }) {
  const now = Math.floor(Date.now() / 1000);
  const sans = names.length > 0 ? names : [subject];
  const times = { iat: now, nbf: now - 60, exp: now + TOKEN_SECONDS };
  return { iss: PROVISIONER, aud: `${url}/1.0/sign`, sub: subject, sans, ...times, jti: randomUUID() };
}

/** RFC 7519. */
function jwt(header, payload, key) {
  const encode = part => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode(header)}.${encode(payload)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** Answers what the page asks of step-ca: the root, a certificate for a token, and its renewal over mutual TLS. */
async function startStandIn({ pki, port }) {
  const tokens = new Map();
  const { enrolment } = pki;
  const fingerprint = createHash('sha256').update(new X509Certificate(enrolment.root).raw).digest('hex');
  const server = createServer(
    { ...pki.servers.good, ca: enrolment.root, requestCert: true, rejectUnauthorized: false },
    async (request, response) => {
      const reply = (status, body) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      };
      try {
        if (request.url === `/root/${fingerprint}`) return reply(200, { ca: enrolment.root });
        if (request.method !== 'POST') return reply(404, { status: 404, message: 'not found' });
        if (request.url === '/1.0/sign') {
          const { csr, ott } = JSON.parse(await bodyOf(request));
          if (!takeToken(tokens, ott)) return reply(401, { status: 401, message: 'the token is not valid' });
          return reply(201, answerWith(issueForRequest(csr, enrolment)));
        }
        const { socket } = request;
        if (request.url === '/1.0/renew' && socket.authorized)
          return reply(201, answerWith(reissue(socket.getPeerX509Certificate().raw, enrolment)));
        reply(401, { status: 401, message: 'not authorized' });
      } catch {
        reply(400, { status: 400, message: 'the request could not be read' });
      }
    },
  );
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const makeToken = subject => {
    const token = randomUUID();
    tokens.set(token, { subject, expires: Date.now() + TOKEN_SECONDS * 1000 });
    return token;
  };
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { kind: 'stand-in', url: `https://localhost:${port}`, makeToken, close };
}

function takeToken(tokens, given) {
  for (const [token, { expires }] of tokens) {
    const same = typeof given === 'string' && given.length === token.length;
    if (!same || !timingSafeEqual(Buffer.from(given), Buffer.from(token))) continue;
    tokens.delete(token);
    return Date.now() < expires;
  }
  return false;
}

function answerWith(chainPem) {
  const certChain = chainPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g);
  return { crt: certChain[0], ca: certChain[1], certChain };
}

async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw new RangeError('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
