import { constants, createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import type { OpenedIdentity, Outcome } from './outcome.js';
import type { Expectation, ExpectedIdentity } from './types.js';

/** What is wrong with what came out of a file, in words; undefined when nothing is. */
export function problemOf(outcome: Outcome, expected: Expectation): string | undefined {
  if ('error' in outcome) return problemOfError(outcome, expected);
  if ('code' in expected) return `opened, but should fail with ${expected.code}`;
  return problemOfContent(outcome, expected);
}

type Failed = Extract<Outcome, { error: string }>;

function problemOfError({ error, code, message }: Failed, expected: Expectation): string | undefined {
  const told = `failed with ${code ?? error}: ${message}`;
  if (error !== 'MtlsError' || !('code' in expected)) return told;
  if (code !== expected.code) return `${told}, not with ${expected.code}`;
  return expected.message && !expected.message.test(message) ? `${told}, not ${expected.message}` : undefined;
}

function problemOfContent(
  { identities, certificates, unsupported }: Exclude<Outcome, Failed>,
  expected: Exclude<Expectation, { code: unknown }>,
): string | undefined {
  if (identities.length !== expected.identities.length)
    return `${identities.length} identities, not ${expected.identities.length}`;
  if (expected.certificates !== undefined && certificates !== expected.certificates)
    return `${certificates} other certificates, not ${expected.certificates}`;
  if (unsupported !== (expected.unsupported ?? 0)) return `${unsupported} unsupported keys`;
  for (const wanted of expected.identities) {
    const found = identities.find(it => commonName(it) === wanted.commonName);
    if (!found) return `no identity ${wanted.commonName}, but ${identities.map(commonName).join(', ')}`;
    const problem = problemOfIdentity(found, wanted);
    if (problem) return `${wanted.commonName}: ${problem}`;
  }
  return undefined;
}

const commonName = ({ subjects }: OpenedIdentity) => /CN=([^,]*)/.exec(subjects[0] ?? '')?.[1];

function problemOfIdentity(identity: OpenedIdentity, wanted: ExpectedIdentity): string | undefined {
  const { label, subjects, issuers, keys, certificate } = identity;
  if (wanted.label !== undefined && label !== wanted.label) return `the label ${label}, not ${wanted.label}`;
  if (wanted.chain !== undefined && subjects.length !== wanted.chain)
    return `a chain of ${subjects.length}, not ${wanted.chain}`;
  if (subjects.some((subject, i) => i > 0 && issuers[i - 1] !== subject)) return 'a chain in the wrong order';
  if (keys.length === 0) return 'no keys';
  if (keys.some(key => key.extractable)) return 'a key that can be exported';
  const publicKey = wanted.key
    ? createPublicKey(wanted.key as never)
    : new X509Certificate(Buffer.from(certificate, 'base64')).publicKey;
  return keys.every(key => verifies(key, publicKey)) ? undefined : "a key that is not the certificate's";
}

/** By Node's own verification, with the public key as the certificate has it. */
function verifies(
  { name, hash = 'SHA-256', signature }: OpenedIdentity['keys'][number],
  key: KeyObject,
): boolean {
  const saltLength = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 }[hash] ?? 0;
  const options = {
    key,
    dsaEncoding: 'ieee-p1363' as const,
    ...(name === 'RSA-PSS' && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }),
  };
  const message = Buffer.from('prove it');
  return verify(name === 'Ed25519' ? null : hash, message, options, Buffer.from(signature, 'base64'));
}
