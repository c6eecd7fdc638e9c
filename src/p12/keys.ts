import type { ReadCertificate } from '../identity/certificate.js';
import { type SignatureScheme, schemesForKey } from '../identity/signature-schemes.js';
import type { KeyBag } from './bags.js';
import type { Session } from './decrypt.js';
import { unsupported } from './errors.js';

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
type Loader = (scheme: SignatureScheme) => Promise<CryptoKey>;

const everyKind = ['RSA-2048', 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'];

/** A kind of key: what WebCrypto has to know before it reads one. */
const kindOf = (keyAlgorithm: string) => keyAlgorithm.replace(/^RSA-\d+$/, 'RSA-2048');

/**
 * Imports a key, never extractable, and finds the certificates that it belongs to: by a signature that their public key
 * verifies, because localKeyId is often missing or wrong.
 *
 * @returns nothing when the file holds no certificate for the key
 */
export async function matchKey(
  bag: KeyBag,
  certificates: readonly FileCertificate[],
  session: Session,
): Promise<Match[]> {
  const load = await loaderOf(bag, session);
  const own = certificates.filter(it => it.keyId !== undefined && it.keyId === bag.keyId);
  const candidates = [...new Set([...own, ...certificates])];
  const kinds = new Set([...candidates.map(it => kindOf(it.certificate.keyAlgorithm)), ...everyKind]);
  const found = await loadAnyKind(load, kinds);
  if (!found) throw unusable(own.length > 0 ? own : certificates, session);
  session.passwordProven = true;

  const matches: Match[] = [];
  const proof = await prove(found.key, found.scheme);
  for (const certificate of candidates) {
    if (kindOf(certificate.certificate.keyAlgorithm) !== found.kind) continue;
    if (!(await verifies(certificate, found.scheme, proof))) continue;
    matches.push({ bag, certificate, keys: await loadAll(load, certificate, found) });
  }
  return matches;
}

async function loaderOf({ key }: KeyBag, session: Session): Promise<Loader> {
  if (key instanceof Uint8Array) return clearLoader(key);
  const unwrapping = await session.unwrappingKey(key);
  if (!unwrapping) return clearLoader(await session.open(key, checkSequence));
  const cipher = { name: 'AES-CBC', iv: unwrapping.iv };
  return ({ importAlgorithm }) =>
    crypto.subtle.unwrapKey('pkcs8', key.ciphertext, unwrapping.key, cipher, importAlgorithm, false, [
      'sign',
    ]);
}

function clearLoader(pkcs8: Uint8Array<ArrayBuffer>): Loader {
  return ({ importAlgorithm }) => crypto.subtle.importKey('pkcs8', pkcs8, importAlgorithm, false, ['sign']);
}

const DER_SEQUENCE = 0x30;

function checkSequence(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes[0] !== DER_SEQUENCE) throw new RangeError('no PKCS#8');
  return bytes;
}

interface LoadedKey {
  key: CryptoKey;
  scheme: SignatureScheme;
  kind: string;
}

async function loadAnyKind(load: Loader, kinds: Iterable<string>): Promise<LoadedKey | undefined> {
  for (const kind of kinds) {
    // The last one: for RSA, PKCS#1 v1.5, which a key of any size can do.
    const scheme = schemesForKey(kind).at(-1);
    if (!scheme) continue;
    try {
      return { key: await load(scheme), scheme, kind };
    } catch {
      // Of another kind, or wrongly decrypted: the other kinds will tell.
    }
  }
  return undefined;
}

/** One CryptoKey for each scheme, because WebCrypto binds a key to one. */
async function loadAll(
  load: Loader,
  { certificate }: FileCertificate,
  found: LoadedKey,
): Promise<CryptoKey[]> {
  const schemes = schemesForKey(certificate.keyAlgorithm);
  try {
    return await Promise.all(
      schemes.map(scheme => (scheme.code === found.scheme.code ? found.key : load(scheme))),
    );
  } catch {
    throw unsupported(
      `a private key of the kind ${certificate.keyAlgorithm}, not by this browser's WebCrypto`,
    );
  }
}

/** Why no kind of key could be made of it. */
function unusable(certificates: readonly FileCertificate[], session: Session): Error {
  const strange = certificates.find(it => schemesForKey(it.certificate.keyAlgorithm).length === 0);
  if (strange) return unsupported(`a private key of the kind ${strange.certificate.keyAlgorithm}`);
  if (session.intact && certificates.length === 0) return unsupported('a private key of another kind');
  return session.unreadable();
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
    const key = await crypto.subtle.importKey('spki', spki, importAlgorithm, true, ['verify']);
    return await crypto.subtle.verify(signAlgorithm, key, signature, message);
  } catch {
    return false;
  }
}
