import forge from 'node-forge';
import type { OpensslFiles } from '../openssl-files.js';
import type { ProducedFile } from './types.js';

type Options = Parameters<typeof forge.pkcs12.toPkcs12Asn1>[3];

const variations: [name: string, options: Options, password?: string][] = [
  ['default', {}],
  ['3des', { algorithm: '3des' }],
  ['aes128', { algorithm: 'aes128' }],
  ['aes192', { algorithm: 'aes192' }],
  ['aes256', { algorithm: 'aes256' }],
  ['aes256, many iterations', { algorithm: 'aes256', count: 20_000 }],
  ['without MAC', { useMac: false }],
  ['without localKeyId', { generateLocalKeyId: false }],
  ['with a name', { friendlyName: 'of forge' }],
  ['3des, empty password', { algorithm: '3des' }, ''],
  // It takes the low byte of each character for AES, and the character for 3DES and the MAC.
  ['aes256, Latin-1 password', { algorithm: 'aes256' }, 'Zürich-ñ'],
  ['aes256, Cyrillic password', { algorithm: 'aes256' }, 'пароль'],
  [
    'aes128, a long password beyond Latin-1',
    { algorithm: 'aes128' },
    'ключ от всех дверей, 鍵 und Schlüssel: '.repeat(3),
  ],
  ['3des, Cyrillic password', { algorithm: '3des' }, 'пароль'],
];

/** Files by node-forge, which knows RSA alone. */
export function forgeProduces(files: OpensslFiles): ProducedFile[] {
  const pem = (name: string) => Buffer.from(files.read(name)).toString();
  const client = files.client('rsa2048');
  // forge does not read ECDSA certificates, so the issuers stay out.
  const key = forge.pki.privateKeyFromPem(pem(`${client}.key`));
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
  certificate.setSubject([{ name: 'commonName', value: 'client-forge' }]);
  certificate.setIssuer(certificate.subject.attributes);
  certificate.validity.notAfter = new Date(Date.now() + 86_400_000);
  certificate.sign(key, forge.md.sha256.create());
  return variations.map(([name, options, password = 'secret']): ProducedFile => {
    const asn1 = forge.pkcs12.toPkcs12Asn1(key, [certificate], password, options);
    const label = options?.friendlyName;
    return {
      producer: 'node-forge',
      name,
      bytes: Uint8Array.from(Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary')),
      password,
      expected: {
        identities: [{ commonName: 'client-forge', chain: 1, ...(label !== undefined && { label }) }],
      },
      core: name.startsWith('aes') || name === 'default',
    };
  });
}
