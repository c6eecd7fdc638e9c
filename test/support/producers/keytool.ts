import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Key, OpensslFiles } from '../openssl-files.js';
import type { ProducedFile } from './types.js';

const pbe = (key: string, certificate = key) => [
  `-J-Dkeystore.pkcs12.keyPbeIterationCount=5000`,
  `-J-Dkeystore.pkcs12.certPbeIterationCount=5000`,
  `-J-Dkeystore.pkcs12.keyProtectionAlgorithm=${key}`,
  `-J-Dkeystore.pkcs12.certProtectionAlgorithm=${certificate}`,
];

interface Variation {
  name: string;
  args: string[];
  /** Entries with keys, by alias. */
  entries: [alias: string, key: Key][];
  /** Certificates that are trusted. */
  trusted?: string[];
  secretKey?: boolean;
  core?: boolean;
}

const one: [string, Key][] = [['ada', 'p256']];

const variations: Variation[] = [
  { name: 'default', args: [], entries: one, core: true },
  { name: 'default, RSA', args: [], entries: [['ada', 'rsa2048']] },
  { name: 'legacy', args: ['-J-Dkeystore.pkcs12.legacy'], entries: one, core: true },
  {
    name: 'several entries',
    args: [],
    entries: [
      ['ada', 'p256'],
      ['bob', 'rsa2048'],
      ['eve', 'p384'],
    ],
    core: true,
  },
  { name: 'a trusted certificate beside it', args: [], entries: one, trusted: ['other'], core: true },
  { name: 'a trust store', args: [], entries: [], trusted: ['root', 'intermediate'] },
  { name: 'a secret key beside it', args: [], entries: one, secretKey: true, core: true },
  {
    name: 'everything',
    args: [],
    entries: [...one, ['bob', 'rsa2048']],
    trusted: ['other'],
    secretKey: true,
  },
  ...[
    'PBEWithSHA1AndRC2_40',
    'PBEWithSHA1AndRC2_128',
    'PBEWithSHA1AndRC4_40',
    'PBEWithSHA1AndRC4_128',
    'PBEWithSHA1AndDESede',
    'PBEWithHmacSHA1AndAES_128',
    'PBEWithHmacSHA224AndAES_128',
    'PBEWithHmacSHA256AndAES_128',
    'PBEWithHmacSHA384AndAES_256',
    'PBEWithHmacSHA512AndAES_256',
  ].map(algorithm => ({ name: algorithm, args: pbe(algorithm), entries: one })),
  { name: 'certificates in clear', args: pbe('PBEWithHmacSHA256AndAES_256', 'NONE'), entries: one },
  { name: 'no MAC', args: ['-J-Dkeystore.pkcs12.macAlgorithm=NONE'], entries: one },
  ...[
    'HmacPBESHA1',
    'HmacPBESHA224',
    'HmacPBESHA384',
    'HmacPBESHA512',
    'HmacPBESHA512/224',
    'HmacPBESHA512/256',
  ].map(mac => ({ name: mac, args: [`-J-Dkeystore.pkcs12.macAlgorithm=${mac}`], entries: one })),
];

const PASSWORD = 'secret';

/** Files by the JDK's keytool. */
export function keytoolProduces(files: OpensslFiles): ProducedFile[] {
  return variations.map(variation => produce(files, variation));
}

function produce(files: OpensslFiles, { name, args, entries, ...more }: Variation): ProducedFile {
  const { trusted = [], secretKey = false, core = false } = more;
  const out = join(files.folder, 'keytool.p12');
  if (existsSync(out)) rmSync(out);
  const keytool = (...command: string[]) =>
    execFileSync('keytool', [...command, '-storetype', 'PKCS12', ...args], {
      cwd: files.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const store = ['-keystore', out, '-storepass', PASSWORD, '-noprompt'];
  for (const [alias, key] of entries) {
    files.write('in.p12', files.export(files.client(key), { args: ['-name', alias] }));
    const from = ['-srckeystore', 'in.p12', '-srcstorepass', 'secret', '-alias', alias];
    const to = ['-destkeystore', out, '-deststorepass', PASSWORD, '-noprompt'];
    execFileSync('keytool', ['-importkeystore', ...from, ...to, '-deststoretype', 'PKCS12', ...args], {
      cwd: files.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
  for (const each of trusted)
    keytool('-importcert', ...store, '-alias', `trusted-${each}`, '-file', `${each}.pem`);
  if (secretKey) keytool('-genseckey', ...store, '-alias', 'secret', '-keyalg', 'AES', '-keysize', '256');
  const used = new Set(entries.length > 0 ? ['root', 'intermediate'] : []);
  return {
    producer: 'keytool',
    name,
    bytes: new Uint8Array(readFileSync(out)),
    password: PASSWORD,
    expected: {
      identities: entries.map(([label, key]) => ({ commonName: `client-${key}`, label, chain: 3 })),
      certificates: trusted.filter(it => !used.has(it)).length,
    },
    core,
  };
}
