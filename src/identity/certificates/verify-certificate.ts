import { plainPublicKey } from '../keys/public-key.js';
import { curveBytes, ecdsaFromDer } from '../signatures/ecdsa-signature.js';
import type { ReadCertificate } from './certificate-reader.js';

type Verification =
  | { name: 'RSASSA-PKCS1-v1_5'; hash: string }
  | { name: 'ECDSA'; hash: string }
  | { name: 'Ed25519' };

const byOid: Record<string, Verification> = {
  '1.2.840.113549.1.1.5': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' },
  '1.2.840.113549.1.1.11': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  '1.2.840.113549.1.1.12': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-384' },
  '1.2.840.113549.1.1.13': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' },
  '1.2.840.10045.4.1': { name: 'ECDSA', hash: 'SHA-1' },
  '1.2.840.10045.4.3.2': { name: 'ECDSA', hash: 'SHA-256' },
  '1.2.840.10045.4.3.3': { name: 'ECDSA', hash: 'SHA-384' },
  '1.2.840.10045.4.3.4': { name: 'ECDSA', hash: 'SHA-512' },
  '1.3.101.112': { name: 'Ed25519' },
};

/** The keys that make signatures of an algorithm, by the beginning of its object identifier. */
const signers: [oid: string, keyAlgorithm: RegExp][] = [
  ['1.2.840.113549.1.1.', /^RSA/],
  ['1.2.840.10045.4.', /^ECDSA/],
  ['1.3.101.112', /^Ed25519$/],
];

/** True and false are proven; undefined: WebCrypto does not know the algorithm, or does not read the key. */
export type SignatureCheck = boolean | undefined;

/** Of a search without a budget of its own. */
const MAX_SIGNATURES = 1_000;

/** Verifies signatures on certificates: each once, and so many in all. */
export class SignatureChecks {
  readonly #checked = new Map<string, SignatureCheck>();
  readonly #keys: PublicKeys = new Map();
  readonly #spend: () => boolean | Promise<boolean>;

  /** @param spend called before each verification, tells whether it may be; what it throws ends the search */
  constructor(spend: () => boolean | Promise<boolean> = budgetOf(MAX_SIGNATURES)) {
    this.#spend = spend;
  }

  /** Whether `issuer`'s key signed `certificate`; false as well when the budget is spent. */
  async signedBy(certificate: ReadCertificate, issuer: ReadCertificate): Promise<SignatureCheck> {
    const question = `${certificate.certificate.fingerprint} ${issuer.certificate.spkiPin}`;
    if (!this.#checked.has(question)) {
      if (!(await this.#spend())) return false;
      this.#checked.set(question, await signedBy(certificate, issuer, this.#keys));
    }
    return this.#checked.get(question);
  }
}

function budgetOf(signatures: number): () => boolean {
  let left = signatures;
  return () => left-- > 0;
}

/** Public keys that have been imported, by the algorithm and their hash: many certificates have the same issuer. */
type PublicKeys = Map<string, Promise<CryptoKey>>;

/**
 * Whether `issuer`'s key signed `certificate`. For putting chains in order: names, validity and the right to issue are not looked
 * at.
 */
export async function signedBy(
  certificate: ReadCertificate,
  issuer: ReadCertificate,
  keys: PublicKeys = new Map(),
): Promise<SignatureCheck> {
  const { signatureAlgorithm: oid, toBeSigned } = certificate;
  const { keyAlgorithm } = issuer.certificate;
  const [, fitting] = signers.find(([start]) => oid.startsWith(start)) ?? [];
  if (fitting && !fitting.test(keyAlgorithm)) return false;
  const algorithm = byOid[oid];
  if (!algorithm) return undefined;
  const namedCurve = keyAlgorithm.replace(/^ECDSA /, '');
  const signature =
    algorithm.name === 'ECDSA'
      ? ecdsaFromDer(certificate.signature, curveBytes[namedCurve] ?? 0)
      : certificate.signature;
  try {
    const name = `${oid} ${issuer.certificate.spkiPin}`;
    const importing = keys.get(name) ?? importPublicKey(issuer, { ...algorithm, namedCurve });
    keys.set(name, importing);
    const key = await importing;
    return signature !== undefined && (await crypto.subtle.verify(algorithm, key, signature, toBeSigned));
  } catch {
    return undefined;
  }
}

async function importPublicKey(
  { spki }: ReadCertificate,
  algorithm: Verification & { namedCurve: string },
): Promise<CryptoKey> {
  return crypto.subtle.importKey('spki', plainPublicKey(spki), algorithm, true, ['verify']);
}
