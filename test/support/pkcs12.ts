import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';

/** What `openssl pkcs12 -export` is to write. */
export interface Pkcs12Options {
  password: string;
  /** The friendlyName. */
  name?: string;
  /** RC2 and 3DES with SHA-1, as OpenSSL wrote them up to 1.1 and Windows does; default: AES-256 and PBKDF2. */
  legacy?: boolean;
  /** PEM of certificates to put beside the client's own. */
  chain?: string;
}

/** A .p12 file written by the openssl command. */
export function writePkcs12({ cert, key }: KeyPair, options: Pkcs12Options): Uint8Array<ArrayBuffer> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-p12-'));
  try {
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    const out = join(folder, 'out.p12');
    const args = ['pkcs12', '-export', '-inkey', file('key.pem', key), '-in', file('cert.pem', cert)];
    if (options.chain) args.push('-certfile', file('chain.pem', options.chain));
    if (options.name) args.push('-name', options.name);
    if (options.legacy) args.push('-legacy');
    args.push('-passout', `file:${file('password', options.password)}`, '-out', out);
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return new Uint8Array(readFileSync(out));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
