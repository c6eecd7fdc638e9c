import type { ReadCertificate } from '../identity/certificate.js';
import { sealKey } from '../identity/sealed-key.js';
import { type SignatureScheme, schemesForKey } from '../identity/signature-schemes.js';
import type { KeyBag } from './bags.js';
import type { Session } from './decrypt.js';
import { unsupported } from './errors.js';
import { plainPrivateKey, plainPublicKey, readPrivateKey } from './private-key.js';

/** A certificate of the file, with what the file says about it. */
export interface FileCertificate extends ReadCertificate {
  friendlyName?: string;
  keyId?: string;
}

/** A key with a certificate that it is proven to belong to. */
export interface Match {
  bag: KeyBag;
  certificate: FileCertificate;
  keys: CryptoKey[];
}

/** Imports the key for one algorithm; rejects when it is of another kind. */
type Loader = (scheme: SignatureScheme, extractable?: boolean) => Promise<CryptoKey>;

const everyKind = ['RSA-2048', 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'];

/** A kind of key: what WebCrypto has to know before it reads one. */
const kindOf = (keyAlgorithm: string) => keyAlgorithm.replace(/^RSA(SSA-PSS)?-\d+$/, 'RSA-2048');

/**
 * Imports a key, never extractable, and finds the certificates that it belongs to: by a signature that their public key
 * verifies, because localKeyId is often missing or wrong.
 *
 * @returns nothing when the file holds no certificate for the key
 * @throws MtlsError ERR_P12_UNSUPPORTED for a kind of key that WebCrypto or TLS does not know, ERR_P12_MALFORMED, _PASSWORD
 */
export async function matchKey(
  bag: KeyBag,
  certificates: readonly FileCertificate[],
  session: Session,
): Promise<Match[]> {
  const own = certificates.filter(it => it.keyId !== undefined && it.keyId === bag.keyId);
  const candidates = [...new Set([...own, ...certificates])];
  const found = await loadKey(
    bag,
    [...candidates.map(it => kindOf(it.certificate.keyAlgorithm)), ...everyKind],
    session,
  );
  session.passwordProven = true;

  const matches: Match[] = [];
  const proof = await prove(found.key, found.scheme);
  for (const certificate of candidates) {
    if (kindOf(certificate.certificate.keyAlgorithm) !== found.kind) continue;
    if (!(await verifies(certificate, found.scheme, proof))) continue;
    const keys = await loadAll(certificate, found);
    if (session.sealedCopy) await seal(keys, found);
    matches.push({ bag, certificate, keys });
  }
  return matches;
}

async function loadKey({ key }: KeyBag, kinds: string[], session: Session): Promise<LoadedKey> {
  const unwrapping = key instanceof Uint8Array ? undefined : await session.unwrappingKey(key);
  if (unwrapping && !(key instanceof Uint8Array)) {
    const found = await loadAnyKind(unwrappingLoader(key.ciphertext, unwrapping), kinds);
    if (found) return found;
  }
  const pkcs8 = key instanceof Uint8Array ? key : await session.open(key, checkPrivateKey);
  const { keyAlgorithm, usable } = readPrivateKey(pkcs8);
  if (!usable) throw unsupported(`a private key of the kind ${keyAlgorithm}`);
  const found =
    (await loadAnyKind(clearLoader(pkcs8), kinds)) ??
    (await loadAnyKind(clearLoader(session.secret(plainPrivateKey(pkcs8))), kinds));
  if (found) return found;
  if (session.intact)
    throw unsupported(`a private key of the kind ${keyAlgorithm}, not by this browser's WebCrypto`);
  throw session.unreadable();
}

function unwrappingLoader(
  ciphertext: Uint8Array<ArrayBuffer>,
  { key, cipher }: { key: CryptoKey; cipher: AesCbcParams | AesGcmParams },
): Loader {
  return ({ importAlgorithm }, extractable = false) =>
    crypto.subtle.unwrapKey('pkcs8', ciphertext, key, cipher, importAlgorithm, extractable, ['sign']);
}

function clearLoader(pkcs8: Uint8Array<ArrayBuffer>): Loader {
  return ({ importAlgorithm }, extractable = false) =>
    crypto.subtle.importKey('pkcs8', pkcs8, importAlgorithm, extractable, ['sign']);
}

function checkPrivateKey(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  readPrivateKey(bytes);
  return bytes;
}

interface LoadedKey {
  key: CryptoKey;
  scheme: SignatureScheme;
  kind: string;
  load: Loader;
}

async function loadAnyKind(load: Loader, kinds: readonly string[]): Promise<LoadedKey | undefined> {
  for (const kind of new Set(kinds)) {
    // The last one: for RSA, PKCS#1 v1.5, which a key of any size can do.
    const scheme = schemesForKey(kind).at(-1);
    if (!scheme) continue;
    try {
      return { key: await load(scheme), scheme, kind, load };
    } catch {
      // Of another kind, or wrongly decrypted: the other kinds will tell.
    }
  }
  return undefined;
}

/** One CryptoKey for each scheme, because WebCrypto binds a key to one. */
async function loadAll(
  { certificate }: FileCertificate,
  { load, scheme, key }: LoadedKey,
): Promise<CryptoKey[]> {
  const schemes = schemesForKey(certificate.keyAlgorithm);
  try {
    return await Promise.all(schemes.map(each => (each.code === scheme.code ? key : load(each))));
  } catch {
    throw unsupported(
      `a private key of the kind ${certificate.keyAlgorithm}, not by this browser's WebCrypto`,
    );
  }
}

async function seal(keys: readonly CryptoKey[], { load, scheme }: LoadedKey): Promise<void> {
  await sealKey(keys, await load(scheme, true), scheme.importAlgorithm);
}

interface Proof {
  message: Uint8Array<ArrayBuffer>;
  signature: ArrayBuffer;
}

async function prove(key: CryptoKey, { signAlgorithm }: SignatureScheme): Promise<Proof> {
  const message = crypto.getRandomValues(new Uint8Array(32));
  return { message, signature: await crypto.subtle.sign(signAlgorithm, key, message) };
}

async function verifies(
  { spki }: FileCertificate,
  { importAlgorithm, signAlgorithm }: SignatureScheme,
  { message, signature }: Proof,
): Promise<boolean> {
  try {
    const plain = plainPublicKey(spki);
    const key = await crypto.subtle.importKey('spki', plain, importAlgorithm, true, ['verify']);
    return await crypto.subtle.verify(signAlgorithm, key, signature, message);
  } catch {
    return false;
  }
}
