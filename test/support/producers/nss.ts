import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpensslFiles } from '../openssl-files.js';
import type { ProducedFile } from './types.js';

const CIPHERS = [
  'PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC',
  'PKCS #12 V2 PBE With SHA-1 And 128 Bit RC2 CBC',
  'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC',
  'PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4',
  'PKCS #12 V2 PBE With SHA-1 And 40 Bit RC4',
  'AES-128-CBC',
  'AES-192-CBC',
  'AES-256-CBC',
];

/** Files by Mozilla's pk12util, from a database of its own. */
export function nssProduces(files: OpensslFiles): ProducedFile[] {
  const folder = join(files.folder, 'nss');
  mkdirSync(folder);
  const database = `sql:${folder}`;
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: files.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  run('certutil', '-N', '-d', database, '--empty-password');
  for (const name of ['root', 'intermediate'])
    run('certutil', '-A', '-d', database, '-n', name, '-t', 'CT,C,C', '-i', `${name}.pem`);
  for (const key of ['rsa2048', 'p256', 'p384'] as const) {
    files.write(`nss-${key}.p12`, files.export(files.client(key), { args: ['-name', `nss ${key}`] }));
    run('pk12util', '-i', `nss-${key}.p12`, '-d', database, '-W', 'secret');
  }
  const exported = (name: string, key: string, args: string[], password = 'secret'): ProducedFile => {
    const out = join(folder, 'out.p12');
    run('pk12util', '-o', out, '-n', `nss ${key}`, '-d', database, '-W', password, ...args);
    const commonName = `client-${key}`;
    return {
      producer: 'NSS',
      name: `${name}, ${key}`,
      bytes: new Uint8Array(readFileSync(out)),
      password,
      expected: { identities: [{ commonName, label: `nss ${key}`, chain: 3 }] },
      core: true,
    };
  };
  return [
    ...['rsa2048', 'p256', 'p384'].map(key => exported('default', key, [])),
    ...CIPHERS.map(cipher => exported(cipher, 'rsa2048', ['-c', cipher, '-C', cipher])),
    exported('certificates in clear', 'p256', ['-C', 'none']),
    ...['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'].map(mac => exported(`-M ${mac}`, 'p256', ['-M', mac])),
    exported('password beyond ASCII', 'p256', [], 'pässwört 鍵'),
    exported('password beyond ASCII, 3DES', 'p256', ['-c', CIPHERS[0] ?? ''], 'pässwört 鍵'),
  ];
}
