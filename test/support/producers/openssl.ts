import type { Key, OpensslFiles } from '../openssl-files.js';
import type { Expectation, ProducedFile } from './types.js';

interface Variation {
  name: string;
  args: string[];
  key?: Key;
  password?: string;
  chain?: string[];
  expected?: Expectation;
  core?: boolean;
}

const cheap = ['-iter', '1000', '-maciter'];
/** The older algorithms are in a provider of their own, and RC2-40 is what `-legacy` alone would take. */
const pbes = [
  'PBE-SHA1-3DES',
  'PBE-SHA1-2DES',
  'PBE-SHA1-RC2-128',
  'PBE-SHA1-RC2-40',
  'PBE-SHA1-RC4-128',
  'PBE-SHA1-RC4-40',
  'PBE-SHA1-DES',
  'PBE-SHA1-RC2-64',
  'PBE-MD5-DES',
  'PBE-MD5-RC2-64',
];
const ciphers = ['AES-128-CBC', 'AES-192-CBC', 'AES-256-CBC', 'DES-EDE3-CBC', 'DES-CBC', 'RC2-CBC'];
const macs = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'sha512-224', 'sha512-256'];
const keys: Key[] = ['rsa1024', 'rsa2048', 'rsa3072', 'rsa4096', 'rsapss', 'p256', 'p384', 'p521', 'ed25519'];
const unusable: [Key, RegExp][] = [
  ['dsa', /DSA/],
  ['ed448', /Ed448/],
  ['secp256k1', /secp256k1/],
  ['brainpool', /brainpool/],
];
const passwords = [
  ['empty', ''],
  ['a space', ' '],
  ['Latin-1', 'pässwört'],
  ['Greek', 'κωδικός'],
  ['beyond the BMP', '🔑 key'],
  ['combining', 'e\u0301'],
  ['long', 'x'.repeat(200)],
] as const;

const variations: Variation[] = [
  ...keys.map(key => ({ name: `default, ${key}`, args: [], key, core: true })),
  ...keys.map(key => ({ name: `-legacy, ${key}`, args: ['-legacy'], key })),
  { name: 'default, rsa8192', args: [], key: 'rsa8192' },
  ...pbes.map(pbe => ({
    name: `-keypbe and -certpbe ${pbe}`,
    args: ['-legacy', '-keypbe', pbe, '-certpbe', pbe, ...cheap],
    core: true,
  })),
  ...ciphers.map(cipher => ({
    name: `-keypbe and -certpbe ${cipher}`,
    args: ['-legacy', '-keypbe', cipher, '-certpbe', cipher, ...cheap],
    core: cipher.startsWith('AES'),
  })),
  ...ciphers.map(cipher => ({
    name: `-keypbe ${cipher} -certpbe NONE -nomac`,
    args: ['-legacy', '-keypbe', cipher, '-certpbe', 'NONE', '-nomac', ...cheap.slice(0, 2)],
  })),
  { name: '-keypbe NONE -certpbe AES-256-CBC', args: ['-keypbe', 'NONE', '-certpbe', 'AES-256-CBC'] },
  { name: '-keypbe NONE -certpbe NONE', args: ['-keypbe', 'NONE', '-certpbe', 'NONE'] },
  { name: 'nothing encrypted, no MAC', args: ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'], core: true },
  {
    name: 'two ciphers',
    args: ['-legacy', '-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'AES-128-CBC'],
    core: true,
  },
  ...macs.map(mac => ({ name: `-macalg ${mac}`, args: ['-macalg', mac, ...cheap], core: true })),
  ...macs.map(mac => ({ name: `-macalg ${mac} -legacy`, args: ['-legacy', '-macalg', mac] })),
  { name: '-nomac', args: ['-nomac'], core: true },
  { name: '-nomac -legacy', args: ['-nomac', '-legacy'] },
  { name: '-noiter -nomaciter', args: ['-noiter', '-nomaciter'] },
  { name: '-iter 600000', args: ['-iter', '600000', '-maciter'], core: true },
  { name: '-iter 600000, rsa2048', args: ['-iter', '600000', '-maciter'], key: 'rsa2048' },
  ...passwords.flatMap(([name, password]) =>
    [[], ['-legacy'], ['-nomac'], ['-legacy', '-nomac']].map(args => ({
      name: `password ${name} ${args.join(' ')}`,
      args,
      password,
      core: name !== 'long' && args.length === 1,
    })),
  ),
  ...['Ada', 'Zoë Ångström', '鍵', ' '].map(label => ({
    name: `-name ${label}`,
    args: ['-name', label],
    expected: { identities: [{ commonName: 'client-p256', label, chain: 3 }] },
    core: label === '鍵',
  })),
  { name: '-caname', args: ['-caname', 'Middle', '-caname', 'Root of all'], core: true },
  { name: '-CSP', args: ['-CSP', 'Microsoft Enhanced Cryptographic Provider v1.0'] },
  { name: '-LMK', args: ['-LMK'] },
  { name: '-keysig', args: ['-keysig'], key: 'rsa2048' },
  { name: '-keyex', args: ['-keyex'], key: 'rsa2048' },
  {
    name: 'without issuers',
    args: [],
    chain: [],
    expected: { identities: [{ commonName: 'client-p256', chain: 1 }] },
  },
  { name: 'issuers in the wrong order', args: [], chain: ['root', 'intermediate'], core: true },
  {
    name: 'issuers repeated, and a stranger',
    args: [],
    chain: ['root', 'intermediate', 'root', 'intermediate', 'other'],
    expected: { identities: [{ commonName: 'client-p256', chain: 3 }], certificates: 1 },
    core: true,
  },
  {
    name: 'without the intermediate',
    args: [],
    chain: ['root'],
    expected: { identities: [{ commonName: 'client-p256', chain: 1 }], certificates: 1 },
  },
  ...unusable.map(([key, message]) => ({
    name: `a key that cannot be used: ${key}`,
    args: [],
    key,
    expected: { code: 'ERR_P12_UNSUPPORTED' as const, message },
  })),
  ...['sha3-256', 'ripemd160'].map(mac => ({
    name: `-macalg ${mac}`,
    args: ['-legacy', '-macalg', mac],
    expected: { code: 'ERR_P12_UNSUPPORTED' as const },
  })),
  ...['CAMELLIA-256-CBC', 'ARIA-128-CBC', 'SEED-CBC'].map(cipher => ({
    name: `-keypbe ${cipher}`,
    args: ['-legacy', '-keypbe', cipher],
    expected: { code: 'ERR_P12_UNSUPPORTED' as const },
  })),
];

/** Files by `openssl pkcs12 -export`. */
export function opensslProduces(files: OpensslFiles): ProducedFile[] {
  const produced = variations.map(
    ({ name, args, key = 'p256', password = 'secret', ...rest }): ProducedFile => {
      const { chain = ['intermediate', 'root'], core = false } = rest;
      const client = files.client(key);
      const expected = rest.expected ?? { identities: [{ commonName: client, chain: 3 }] };
      const bytes = files.export(client, { password, chain, args });
      return { producer: 'OpenSSL', name, bytes, password, expected, core };
    },
  );
  return [...produced, ...others(files)];
}

/** What takes other commands than the export of one key. */
function others(files: OpensslFiles): ProducedFile[] {
  const run = (args: string[], name: string, expected: Expectation): ProducedFile => {
    files.run(['pkcs12', '-export', '-passout', 'pass:secret', '-out', 'out.p12', ...args]);
    return { producer: 'OpenSSL', name, bytes: files.read('out.p12'), password: 'secret', expected };
  };
  const client = files.client('p256');
  return [
    run(['-nokeys', '-in', 'root.pem'], 'certificates only', { identities: [], certificates: 1 }),
    run(['-nocerts', '-inkey', `${client}.key`, '-in', `${client}.key`], 'a key only', {
      identities: [],
      certificates: 0,
    }),
  ];
}
