import { execFile, execFileSync } from 'node:child_process';
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  X509Certificate,
} from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, startProgram } from './process.js';

const MODULE = 'github.com/smallstep/certificates/cmd/step-ca';
const VERSION = 'v0.30.2';
const BUILD_TIMEOUT_MS = 9 * 60_000;
const PROVISIONER = 'page-backend';

/** The certificate authority of smallstep, on a port of the loopback address. */
export interface RunningStepCa {
  url: string;
  port: number;
  /** PEM. */
  root: string;
  /** SHA-256 of the root, lower-case hex. */
  rootFingerprint: string;
  /** A token as a page's backend would make it, for one certificate with this subject and these names. */
  token(subject: string, options?: { names?: string[]; expiresInSeconds?: number; key?: KeyObject }): string;
  stop(): Promise<void>;
}

/** Builds step-ca by the Go module proxy, unless an earlier run has; takes some minutes on a slow machine. */
export async function buildStepCa(): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'browser-mtls-tests', `step-ca-${VERSION}`);
  const binary = join(folder, 'step-ca');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const building = mkdtempSync(join(folder, 'build-'));
  try {
    const path = [process.env.PATH, '/usr/local/go/bin', '/usr/lib/go/bin'].join(delimiter);
    await promisify(execFile)('go', ['install', `${MODULE}@${VERSION}`], {
      env: { ...process.env, PATH: path, CGO_ENABLED: '0', GOBIN: building },
      timeout: BUILD_TIMEOUT_MS,
    });
    // Whole or not at all: another run may be building it as well.
    renameSync(join(building, 'step-ca'), binary);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
  return binary;
}

/** `port`: default any that is free. */
export async function startStepCa({ port }: { port?: number } = {}): Promise<RunningStepCa> {
  const binary = await buildStepCa();
  const folder = mkdtempSync(join(tmpdir(), 'mtls-step-ca-'));
  const chosen = port ?? (await freePort());
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  const root = makeAuthority(folder);
  writeFileSync(
    join(folder, 'ca.json'),
    JSON.stringify({
      root: join(folder, 'root.pem'),
      crt: join(folder, 'intermediate.pem'),
      key: join(folder, 'intermediate.key'),
      address: `127.0.0.1:${chosen}`,
      dnsNames: ['localhost', '127.0.0.1'],
      logger: { format: 'text' },
      authority: {
        provisioners: [
          {
            type: 'JWK',
            name: PROVISIONER,
            key: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
          },
        ],
      },
    }),
  );
  const program = startProgram(binary, [join(folder, 'ca.json')], { env: { STEPPATH: folder } });
  const url = `https://localhost:${chosen}`;
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await program.waitFor(/Serving HTTPS on/, 30_000);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    port: chosen,
    root,
    rootFingerprint: createHash('sha256').update(new X509Certificate(root).raw).digest('hex'),
    token: (subject, { names = [], expiresInSeconds = 300, key = privateKey } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: PROVISIONER,
        aud: `${url}/1.0/sign`,
        sub: subject,
        sans: names.length > 0 ? names : [subject],
        iat: now,
        nbf: now - 60,
        exp: now + expiresInSeconds,
        jti: randomUUID(),
      };
      return jwt({ alg: 'ES256', typ: 'JWT', kid }, claims, key);
    },
    stop,
  };
}

/** RFC 7519. */
function jwt(header: object, claims: object, key: KeyObject): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** A root and an intermediate in a folder; gives the root as PEM. */
function makeAuthority(folder: string): string {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  const newKey = (name: string) =>
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
  newKey('root');
  newKey('intermediate');
  const rootArgs = ['-key', 'root.key', '-subj', '/O=Test/CN=Test Root', '-days', '30', '-out', 'root.pem'];
  openssl('req', '-x509', '-new', ...rootArgs);
  openssl(
    'req',
    '-new',
    '-key',
    'intermediate.key',
    '-subj',
    '/O=Test/CN=Test CA',
    '-out',
    'intermediate.csr',
  );
  writeFileSync(
    join(folder, 'ca.ext'),
    'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign,cRLSign\n',
  );
  const by = ['-CA', 'root.pem', '-CAkey', 'root.key', '-set_serial', '2', '-days', '20'];
  openssl('x509', '-req', '-in', 'intermediate.csr', ...by, '-extfile', 'ca.ext', '-out', 'intermediate.pem');
  return openssl('x509', '-in', 'root.pem');
}
