import { encode } from '../../identity/der.js';
import { sealKey } from '../../identity/keys/sealed-key.js';
import { type SchemeAlgorithms, schemesForKey } from '../../identity/signatures/signature-schemes.js';
import type { Attempt, Decryption } from '../decryption/decrypt.js';
import { damaged, unsupported } from '../errors.js';
import type { KeyBag } from '../structure/bags.js';
import { type Owners, RSA } from './owners.js';
import { readPrivateKey } from './private-key.js';

/** Imports the key for one algorithm; rejects when it is of another kind. */
type Loader = (scheme: SchemeAlgorithms, extractable?: boolean) => Promise<CryptoKey>;

export interface LoadedKey {
  key: CryptoKey;
  scheme: SchemeAlgorithms;
  kind: string;
  load: Loader;
  /** In plain form, where the private key says it. */
  publicKey?: Uint8Array<ArrayBuffer>;
}

const everyKind = [RSA, 'ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'Ed25519'];

/** The key as WebCrypto reads it: several times, perhaps, as several kinds. */
export async function* loadings(
  bag: KeyBag,
  owners: Owners,
  decryption: Decryption,
): AsyncGenerator<LoadedKey> {
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
export async function loadAll(keyAlgorithm: string, { load, scheme, key }: LoadedKey): Promise<CryptoKey[]> {
  const schemes = schemesForKey(keyAlgorithm);
  try {
    return await Promise.all(schemes.map(each => (each.code === scheme.code ? key : load(each))));
  } catch {
    throw unsupported(`a private key of the kind ${keyAlgorithm}, not by this browser's WebCrypto`);
  }
}

export async function seal(keys: readonly CryptoKey[], { load, scheme }: LoadedKey): Promise<void> {
  await sealKey(keys, await load(scheme, true), scheme.importAlgorithm);
}
