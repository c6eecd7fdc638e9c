import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Key, OpensslFiles } from '../openssl-files.js';
import type { ProducedFile } from './types.js';

const CIPHERS = ['3des', '3des-pkcs12', 'aes-128', 'aes-192', 'aes-256', 'rc2-40', 'arcfour'];
const HASHES = ['SHA1', 'SHA224', 'SHA256', 'SHA384', 'SHA512'];

interface Variation {
  name: string;
  args: string[];
  key?: Key;
  password?: string | undefined;
  chain?: string[];
  /** Default: the one of the key. */
  client?: string;
}

/** Files by GnuTLS's certtool. */
export function gnutlsProduces(files: OpensslFiles): ProducedFile[] {
  const keys: Key[] = ['rsa2048', 'p256', 'p384', 'p521', 'ed25519'];
  const authority = (name: string, issuer: string) =>
    files.issue(name, {
      ...{ key: 'p256', issuer, subject: `/CN=${name}` },
      extensions: 'basicConstraints=critical,CA:TRUE',
    });
  // Each certificate has a part and a derivation of its own: this is what costs the most by default.
  const deep = [
    authority('second', 'intermediate'),
    authority('third', 'second'),
    authority('fourth', 'third'),
  ];
  const variations: Variation[] = [
    {
      name: 'a chain of six',
      args: [],
      client: files.issue('deep', { key: 'p256', issuer: 'fourth' }),
      chain: [...deep.reverse(), 'intermediate', 'root'],
    },
    ...keys.map(key => ({ name: `default, ${key}`, args: [], key })),
    ...CIPHERS.map(cipher => ({ name: `--pkcs-cipher ${cipher}`, args: ['--pkcs-cipher', cipher] })),
    ...HASHES.map(hash => ({ name: `--hash ${hash}`, args: ['--hash', hash] })),
    { name: '--empty-password', args: ['--empty-password'], password: '' },
    { name: '--null-password', args: ['--null-password'], password: '' },
    {
      name: '--null-password 3des-pkcs12',
      args: ['--null-password', '--pkcs-cipher', '3des-pkcs12'],
      password: '',
    },
    {
      name: '--empty-password 3des-pkcs12',
      args: ['--empty-password', '--pkcs-cipher', '3des-pkcs12'],
      password: '',
    },
    { name: 'password beyond ASCII', args: [], password: 'pässwört' },
    {
      name: 'password beyond ASCII, 3des-pkcs12',
      args: ['--pkcs-cipher', '3des-pkcs12'],
      password: 'pässwört',
    },
    { name: 'without issuers', args: [], chain: [] },
  ];
  return variations.map(variation => produce(files, variation));
}

function produce(files: OpensslFiles, variation: Variation): ProducedFile {
  const { name, args, key = 'p256', password = 'secret', chain = ['intermediate', 'root'] } = variation;
  const { client = files.client(key) } = variation;
  const read = (each: string) => Buffer.from(files.read(`${each}.pem`)).toString();
  files.write('gnutls.pem', [client, ...chain].map(read).join(''));
  const out = join(files.folder, 'gnutls.p12');
  execFileSync(
    'certtool',
    [
      ...['--to-p12', '--load-privkey', `${client}.key`, '--load-certificate', 'gnutls.pem'],
      ...['--p12-name', 'of certtool', '--outder', '--outfile', out],
      ...(password === '' ? [] : ['--password', password]),
      ...args,
    ],
    { cwd: files.folder, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return {
    producer: 'GnuTLS',
    name,
    bytes: new Uint8Array(readFileSync(out)),
    password,
    expected: { identities: [{ commonName: client, label: 'of certtool', chain: 1 + chain.length }] },
    core: name.startsWith('default') || name.startsWith('--null'),
  };
}
