import { constants, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { type Identity, MtlsError, openPkcs12, type Pkcs12 } from '../../../src/index.js';
import { engineModule } from '../engine.js';
import type { Expectation, ExpectedIdentity, ProducedFile } from './types.js';

/** What is wrong with what came out of a file, in words; undefined when nothing is. */
export async function problemOf(file: ProducedFile): Promise<string | undefined> {
  const { bytes, password, expected } = file;
  let opened: Pkcs12;
  try {
    opened = await openPkcs12(bytes as BufferSource, { password, engine: engineModule() });
  } catch (error) {
    return problemOfError(error, expected);
  }
  if ('code' in expected) return `opened, but should fail with ${expected.code}`;
  return problemOfContent(opened, expected);
}

function problemOfError(error: unknown, expected: Expectation): string | undefined {
  if (!(error instanceof MtlsError)) return `failed with ${String(error)}`;
  const told = `failed with ${error.code}: ${error.message}`;
  if (!('code' in expected)) return told;
  if (error.code !== expected.code) return `${told}, not with ${expected.code}`;
  return expected.message && !expected.message.test(error.message)
    ? `${told}, not ${expected.message}`
    : undefined;
}

async function problemOfContent(
  { identities, certificates, unsupported }: Pkcs12,
  expected: Exclude<Expectation, { code: unknown }>,
): Promise<string | undefined> {
  if (identities.length !== expected.identities.length)
    return `${identities.length} identities, not ${expected.identities.length}`;
  if (expected.certificates !== undefined && certificates.length !== expected.certificates)
    return `${certificates.length} other certificates, not ${expected.certificates}`;
  if (unsupported.length !== (expected.unsupported ?? 0)) return `${unsupported.length} unsupported keys`;
  for (const wanted of expected.identities) {
    const found = identities.find(it => commonName(it) === wanted.commonName);
    if (!found) return `no identity ${wanted.commonName}, but ${identities.map(commonName).join(', ')}`;
    const problem = await problemOfIdentity(found, wanted);
    if (problem) return `${wanted.commonName}: ${problem}`;
  }
  return undefined;
}

const commonName = ({ certificate }: Identity) => /CN=([^,]*)/.exec(certificate.subject)?.[1];

async function problemOfIdentity(identity: Identity, wanted: ExpectedIdentity): Promise<string | undefined> {
  const { label, chain, keys, certificate } = identity;
  if (wanted.label !== undefined && label !== wanted.label) return `the label ${label}, not ${wanted.label}`;
  if (wanted.chain !== undefined && chain.length !== wanted.chain)
    return `a chain of ${chain.length}, not ${wanted.chain}`;
  if (keys.length === 0) return 'no keys';
  for (const [i, certificate] of chain.entries())
    if (i > 0 && chain[i - 1]?.issuer !== certificate.subject) return 'a chain in the wrong order';
  for (const key of keys) {
    if (key.extractable) return 'a key that can be exported';
    if (!(await signsFor(key, certificate.der))) return `a key that is not the certificate's`;
  }
  return undefined;
}

/** By Node's own verification, with the public key as the certificate has it. */
async function signsFor(key: CryptoKey, certificate: Uint8Array): Promise<boolean> {
  const message = Buffer.from('prove it');
  const {
    name,
    hash = { name: 'SHA-256' },
    namedCurve,
  } = key.algorithm as EcKeyAlgorithm & RsaHashedKeyAlgorithm;
  const digest = { 'P-384': 'SHA-384', 'P-521': 'SHA-512' }[namedCurve ?? ''] ?? hash.name;
  const saltLength = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 }[digest] ?? 32;
  const signature = Buffer.from(
    await crypto.subtle.sign({ name, hash: digest, saltLength } as never, key, message),
  );
  const publicKey = createPublicKey(
    new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'pem' }),
  );
  const options = {
    key: publicKey,
    dsaEncoding: 'ieee-p1363' as const,
    ...(name === 'RSA-PSS' && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }),
  };
  return verify(name === 'Ed25519' ? null : digest, message, options, signature);
}
