import type { ReadCertificate } from '../identity/certificate-reader.js';
import { encode } from '../identity/der.js';
import { grouped } from '../identity/grouped.js';
import { plainPublicKey } from '../identity/public-key.js';
import { sealKey } from '../identity/sealed-key.js';
import { type SchemeAlgorithms, schemesForKey } from '../identity/signature-schemes.js';
import type { SignatureCheck } from '../identity/verify-certificate.js';
import { toBase64 } from '../util/encoding.js';
import type { KeyBag } from './bags.js';
import type { Attempt, Decryption } from './decrypt.js';
import { damaged, unsupported } from './errors.js';
import { readPrivateKey } from './private-key.js';

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

/** The certificates of one public key: one signature tells for all of them. */
interface Owner {
  /** In plain form. */
  spki: Uint8Array<ArrayBuffer>;
  /** What WebCrypto has to know before it reads the private key. */
  kind: string;
  modulusBits: number | undefined;
  certificates: FileCertificate[];
  /** Whether a private key of the file is its own. */
  matched: boolean;
  /** Whether WebCrypto did not read it. */
  unread: boolean;
  /** The public key, by the code of the scheme that it was imported for. */
  imported: Map<number, Promise<CryptoKey>>;
}

/** The certificates of a file by their public keys, to find those of a private key. */
export class Owners {
  readonly #byPublicKey: Map<string, Owner>;
  readonly #byKeyId: Map<string, Owner[]>;

  static async of(certificates: readonly FileCertificate[], { budget }: Decryption): Promise<Owners> {
    const plain: PlainCertificate[] = [];
    for (const certificate of certificates) {
      await budget.turn();
      plain.push({ certificate, spki: plainPublicKey(certificate.spki) });
    }
    return new Owners(plain);
  }

  private constructor(plain: readonly PlainCertificate[]) {
    const groups = grouped(plain, ({ spki }) => toBase64(spki));
    this.#byPublicKey = new Map(Array.from(groups, ([key, group]) => [key, ownerOf(group)]));
    const claims = [...this.#byPublicKey.values()].flatMap(owner => {
      const keyIds = new Set(owner.certificates.map(it => it.keyId));
      return Array.from(keyIds, keyId => (keyId === undefined ? [] : [{ keyId, owner }])).flat();
    });
    const claimed = grouped(claims, it => it.keyId);
    this.#byKeyId = new Map(Array.from(claimed, ([keyId, them]) => [keyId, them.map(it => it.owner)]));
  }

  withPublicKey(spki: Uint8Array<ArrayBuffer>): Owner | undefined {
    return this.#byPublicKey.get(toBase64(spki));
  }

  /** Those that the file itself calls the key's, which may be a mistake. */
  claimedBy({ keyId }: KeyBag): Owner[] {
    return keyId === undefined ? [] : (this.#byKeyId.get(keyId) ?? []);
  }

  /** All of them, the likelier ones first. */
  inOrderFor(bag: KeyBag): Owner[] {
    const all = [...this.#byPublicKey.values()].sort((a, b) => Number(a.matched) - Number(b.matched));
    return [...new Set([...this.claimedBy(bag), ...all])];
  }
}

interface PlainCertificate {
  certificate: FileCertificate;
  /** In plain form. */
  spki: Uint8Array<ArrayBuffer>;
}

function ownerOf(group: readonly PlainCertificate[]): Owner {
  const certificates = group.map(it => it.certificate);
  const keyAlgorithm = certificates[0]?.certificate.keyAlgorithm ?? '';
  const [, bits] = /^RSA.*-(\d+)$/.exec(keyAlgorithm) ?? [];
  return {
    spki: group[0]?.spki ?? new Uint8Array(),
    kind: bits === undefined ? keyAlgorithm : RSA,
    modulusBits: bits === undefined ? undefined : Number(bits),
    certificates,
    matched: false,
    unread: false,
    imported: new Map(),
  };
}

/** Imports the key for one algorithm; rejects when it is of another kind. */
type Loader = (scheme: SchemeAlgorithms, extractable?: boolean) => Promise<CryptoKey>;

/** Of any size: what the smallest one signs with, all others do. */
const RSA = 'RSA-512';
const everyKind = [RSA, 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'];

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

/**
 * Refuses a key that belongs to none of the certificates, although the file names some as its own.
 *
 * @throws MtlsError ERR_P12_UNSUPPORTED, ERR_P12_MALFORMED
 */
export function refuseStranger(bag: KeyBag, owners: Owners): void {
  const claimed = owners.claimedBy(bag);
  const strange = claimed.find(it => it.unread || schemesForKey(it.kind).length === 0);
  const keyAlgorithm = strange?.certificates[0]?.certificate.keyAlgorithm;
  if (strange?.unread)
    throw unsupported(
      `a certificate with a key (${keyAlgorithm}) that this browser's WebCrypto does not read`,
    );
  if (strange) throw unsupported(`a certificate with a key of the kind ${keyAlgorithm}`);
  if (claimed.length > 0 && claimed.every(it => !it.matched))
    throw damaged('a private key does not belong to its certificate');
}

/** The key as WebCrypto reads it: several times, perhaps, as several kinds. */
async function* loadings(bag: KeyBag, owners: Owners, decryption: Decryption): AsyncGenerator<LoadedKey> {
  const { key } = bag;
  if (key instanceof Uint8Array) {
    yield loadClear(key, decryption);
    return;
  }
  const kinds = new Set([...owners.inOrderFor(bag).map(it => it.kind), ...everyKind]);
  for await (const attempt of decryption.attempts(key, 'private key')) {
    let opened = false;
    for await (const found of unwrapped({ attempt, kinds, ciphertext: key.ciphertext })) {
      attempt.succeed();
      opened = true;
      yield found;
    }
    if (opened) return;
    const pkcs8 = await attempt.decrypt();
    if (!pkcs8 || !isPrivateKey(pkcs8)) continue;
    attempt.succeed();
    yield loadClear(pkcs8, decryption);
    return;
  }
  throw decryption.otherPassword('private key');
}

/** A key that stays encrypted does not say its kind, and Firefox takes a key of any curve for one of any other. */
async function* unwrapped({ attempt, kinds, ciphertext }: Unwrapping): AsyncGenerator<LoadedKey> {
  const unwrapping = await attempt.unwrapping();
  if (!unwrapping) return;
  for (const kind of kinds) {
    const found = await load(unwrappingLoader(ciphertext, unwrapping), kind);
    if (found) yield found;
  }
}

interface Unwrapping {
  attempt: Attempt;
  kinds: Iterable<string>;
  ciphertext: Uint8Array<ArrayBuffer>;
}

async function loadClear(pkcs8: Uint8Array<ArrayBuffer>, decryption: Decryption): Promise<LoadedKey> {
  const { keyAlgorithm, plain, publicKey } = readPrivateKey(pkcs8);
  if (!plain) throw unsupported(`a private key of the kind ${keyAlgorithm}`);
  const kind = keyAlgorithm === 'RSA' ? RSA : keyAlgorithm;
  const found = await load(clearLoader(decryption.secret(encode(plain))), kind);
  if (found) return { ...found, ...(publicKey && { publicKey }) };
  if (decryption.intact)
    throw unsupported(`a private key of the kind ${keyAlgorithm}, not by this browser's WebCrypto`);
  throw damaged('one of its private keys cannot be read');
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

/** Whether it has been decrypted by the right password. */
function isPrivateKey(bytes: Uint8Array<ArrayBuffer>): boolean {
  try {
    readPrivateKey(bytes);
    return true;
  } catch {
    return false;
  }
}

interface LoadedKey {
  key: CryptoKey;
  scheme: SchemeAlgorithms;
  kind: string;
  load: Loader;
  /** In plain form, where the private key says it. */
  publicKey?: Uint8Array<ArrayBuffer>;
}

/** Undefined when it is of another kind, or badly decrypted. */
async function load(loader: Loader, kind: string): Promise<LoadedKey | undefined> {
  // The last one: for RSA, PKCS#1 v1.5, which a key of any size can do.
  const scheme = schemesForKey(kind).at(-1);
  try {
    return scheme && { key: await loader(scheme), scheme, kind, load: loader };
  } catch {
    return undefined;
  }
}

/** One CryptoKey for each scheme, because WebCrypto binds a key to one. */
async function loadAll(keyAlgorithm: string, { load, scheme, key }: LoadedKey): Promise<CryptoKey[]> {
  const schemes = schemesForKey(keyAlgorithm);
  try {
    return await Promise.all(schemes.map(each => (each.code === scheme.code ? key : load(each))));
  } catch {
    throw unsupported(`a private key of the kind ${keyAlgorithm}, not by this browser's WebCrypto`);
  }
}

async function seal(keys: readonly CryptoKey[], { load, scheme }: LoadedKey): Promise<void> {
  await sealKey(keys, await load(scheme, true), scheme.importAlgorithm);
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
