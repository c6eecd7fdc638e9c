// Producers that are libraries: small programs beside this file write every file into a folder.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mavenClassPath } from '../maven.js';
import type { Key, OpensslFiles } from '../openssl-files.js';
import type { Expectation, ProducedFile } from './types.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** What is downloaded and built is kept from run to run. */
const CACHE = join(tmpdir(), 'browser-mtls-producers');

interface Program {
  producer: string;
  keys: [client: Key, other: Key];
  run(folder: string): void;
  expected(name: string): Pick<ProducedFile, 'password' | 'keyPassword' | 'expected' | 'core'>;
}

function produce(files: OpensslFiles, { producer, keys, run, expected }: Program): ProducedFile[] {
  const folder = join(files.folder, producer.replace(/\W/g, '-'));
  mkdirSync(folder);
  for (const [name, key] of [
    ['client', keys[0]],
    ['other', keys[1]],
  ] as const) {
    const client = files.client(key);
    for (const end of ['key', 'pem'])
      copyFileSync(join(files.folder, `${client}.${end}`), join(folder, `${name}.${end}`));
  }
  for (const name of ['intermediate.pem', 'root.pem'])
    copyFileSync(join(files.folder, name), join(folder, name));
  run(folder);
  return readdirSync(folder)
    .filter(file => file.endsWith('.p12'))
    .sort()
    .map(file => {
      const name = file.replace(/\.p12$/, '');
      return { producer, name, bytes: new Uint8Array(readFileSync(join(folder, file))), ...expected(name) };
    });
}

const execute = (command: string, args: string[], cwd?: string) =>
  execFileSync(command, args, {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, GOFLAGS: '-mod=mod' },
  });

const certificatesOnly: Expectation = { identities: [], certificates: 2 };
const client = (chain: number, label?: string, key: Key = 'p256') => ({
  commonName: `client-${key}`,
  chain,
  ...(label !== undefined && { label }),
});
const ada = (chain: number, label?: string): Expectation => ({ identities: [client(chain, label)] });

/** Files by the Go package software.sslmate.com/src/go-pkcs12. */
export function goProduces(files: OpensslFiles): ProducedFile[] {
  return produce(files, {
    producer: 'go-pkcs12',
    keys: ['p256', 'rsa2048'],
    run(folder) {
      mkdirSync(CACHE, { recursive: true });
      execute('go', ['build', '-o', join(CACHE, 'go-producer'), '.'], join(HERE, 'go'));
      execute(join(CACHE, 'go-producer'), [folder]);
    },
    expected(name) {
      if (name.endsWith('trust store'))
        return { password: name.startsWith('Passwordless') ? '' : 'secret', expected: certificatesOnly };
      if (name.endsWith('beyond ASCII')) return { password: 'pässwört 鍵', expected: ada(1) };
      const empty = name.startsWith('Passwordless') || name.endsWith('empty password');
      return { password: empty ? '' : 'secret', expected: ada(3), core: true };
    },
  });
}

/** Files by Python's package cryptography, as Debian has it. */
export function pythonProduces(files: OpensslFiles): ProducedFile[] {
  return produce(files, {
    producer: 'Python cryptography',
    keys: ['p256', 'rsa2048'],
    run: folder => execute('/usr/bin/python3', [join(HERE, 'python-cryptography.py'), folder]),
    expected(name) {
      const password = name === 'none' ? '' : 'secret';
      if (name === 'certificates only') return { password, expected: certificatesOnly };
      if (name === 'named issuers') return { password, expected: ada(3, 'Zoë 鍵'), core: true };
      return { password, expected: ada(3, 'of Python'), core: name === 'best available' };
    },
  });
}

/** Files by Bouncy Castle: BER, PBMAC1, scrypt, and shapes that nobody else writes. */
export function bouncyCastleProduces(files: OpensslFiles): ProducedFile[] {
  return produce(files, {
    producer: 'Bouncy Castle',
    keys: ['p256', 'rsa2048'],
    run(folder) {
      const source = join(HERE, 'bouncy-castle');
      execute('java', ['-cp', mavenClassPath(source), join(source, 'Producer.java'), folder]);
    },
    expected(name) {
      const password = 'secret';
      if (name === 'bad BKS') return { password, expected: { code: 'ERR_P12_MALFORMED' } };
      if (name === 'bad key password of the JDK')
        return { password, expected: { code: 'ERR_P12_KEY_PASSWORD' } };
      if (name.startsWith('key password')) {
        const identities = [client(3, 'ada'), ...(name.includes('two') ? [client(3, 'bob', 'rsa2048')] : [])];
        return { password, keyPassword: 'otherpass', expected: { identities }, core: true };
      }
      if (name.startsWith('one key password')) {
        const expected = { identities: [client(3, 'bob', 'rsa2048')], unsupported: 1 };
        return { password, expected, core: true };
      }
      if (name.endsWith('two keys')) {
        const identities = [client(3, 'ada'), client(3, 'bob', 'rsa2048')];
        return { password, expected: { identities }, core: true };
      }
      if (name.startsWith('store')) return { password, expected: ada(3, 'ada') };
      if (name === 'everything in clear' || name.startsWith('plain key'))
        return { password, expected: ada(1), core: true };
      return { password, expected: ada(3), core: true };
    },
  });
}
