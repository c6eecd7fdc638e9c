import type { SignatureCheck } from '../../identity/certificates/verify-certificate.js';
import type { SchemeAlgorithms } from '../../identity/signatures/signature-schemes.js';
import type { Decryption } from '../decryption/decrypt.js';
import type { KeyBag } from '../structure/bags.js';
import { type LoadedKey, loadAll, loadings, seal } from './load-key.js';
import type { FileCertificate, Owner, Owners } from './owners.js';

/** A key with a certificate that it is proven to belong to. */
export interface Match {
  bag: KeyBag;
  certificate: FileCertificate;
  keys: CryptoKey[];
}

/**
 * Imports a key, never extractable, and finds the certificates that it belongs to: by its public key where it comes with one, and
 * by a signature that verifies, because localKeyId is often missing or wrong.
 *
 * @returns nothing when the file holds no certificate for the key
 * @throws MtlsError ERR_P12_UNSUPPORTED for a kind of key that WebCrypto or TLS does not know, ERR_P12_MALFORMED,
 *   ERR_P12_KEY_PASSWORD, ERR_P12_TOO_EXPENSIVE
 */
export async function matchKey(bag: KeyBag, owners: Owners, decryption: Decryption): Promise<Match[]> {
  for await (const found of loadings(bag, owners, decryption)) {
    const owner = await findOwner(found, { bag, owners, decryption });
    if (!owner) continue;
    owner.matched = true;
    return matchesOf(owner, { bag, found, sealed: decryption.sealedCopy });
  }
  return [];
}

async function matchesOf(
  { certificates }: Owner,
  { bag, found, sealed }: { bag: KeyBag; found: LoadedKey; sealed: boolean },
): Promise<Match[]> {
  const matches: Match[] = [];
  const loaded = new Map<string, CryptoKey[]>();
  for (const certificate of certificates) {
    const { keyAlgorithm } = certificate.certificate;
    // They differ between a certificate that restricts its key to RSASSA-PSS and one that does not.
    let keys = loaded.get(keyAlgorithm);
    if (!keys) {
      keys = await loadAll(keyAlgorithm, found);
      if (sealed) await seal(keys, found);
      loaded.set(keyAlgorithm, keys);
    }
    matches.push({ bag, certificate, keys });
  }
  return matches;
}

/** Of one localKeyId, which a certificate or two have. */
const MAX_CLAIMS = 8;

interface Search {
  bag: KeyBag;
  owners: Owners;
  decryption: Decryption;
}

async function findOwner(found: LoadedKey, { bag, owners, decryption }: Search): Promise<Owner | undefined> {
  const proof = await prove(found);
  if (!proof) return undefined;
  const verdictOn = async (owner: Owner) => {
    await decryption.budget.countSignature();
    return verifies(owner, found, proof);
  };
  const named = found.publicKey && owners.withPublicKey(found.publicKey);
  // What this browser does not verify is still the same key.
  if (named && (await verdictOn(named)) !== false) return named;
  const { modulusLength } = found.key.algorithm as Partial<RsaKeyAlgorithm>;
  // One that comes with its public key has little to look for: another one in the certificate is a mistake of the writer.
  const others = found.publicKey ? owners.claimedBy(bag).slice(0, MAX_CLAIMS) : owners.inOrderFor(bag);
  for (const owner of others) {
    if (owner.kind !== found.kind || owner.modulusBits !== modulusLength) continue;
    const verdict = await verdictOn(owner);
    if (verdict) return owner;
    if (verdict === undefined) owner.unread = true;
  }
  return undefined;
}

interface Proof {
  message: Uint8Array<ArrayBuffer>;
  signature: ArrayBuffer;
}

/** Undefined when it does not sign. */
async function prove({ key, scheme }: LoadedKey): Promise<Proof | undefined> {
  const message = crypto.getRandomValues(new Uint8Array(32));
  try {
    return { message, signature: await crypto.subtle.sign(scheme.signAlgorithm, key, message) };
  } catch {
    return undefined;
  }
}

async function verifies(
  owner: Owner,
  { scheme }: LoadedKey,
  { message, signature }: Proof,
): Promise<SignatureCheck> {
  try {
    const key = await publicKeyOf(owner, scheme);
    return await crypto.subtle.verify(scheme.signAlgorithm, key, signature, message);
  } catch {
    return undefined;
  }
}

function publicKeyOf(
  { imported, spki }: Owner,
  { code, importAlgorithm }: SchemeAlgorithms,
): Promise<CryptoKey> {
  const known =
    imported.get(code) ?? crypto.subtle.importKey('spki', spki, importAlgorithm, true, ['verify']);
  imported.set(code, known);
  return known;
}
