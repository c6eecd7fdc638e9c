// Keys that cannot be exported cannot be wrapped either. An identity that is to be kept wrapped is therefore opened with a sealed
// copy of its private key, which lasts as long as its keys are in memory.

type KeyImportAlgorithm = { name: string; hash?: string; namedCurve?: string };

/** PKCS#8, encrypted by AES-GCM with 256 bits. */
export interface EncryptedKey {
  pkcs8: ArrayBuffer;
  iv: Uint8Array<ArrayBuffer>;
}

/** Under an AES-GCM key that cannot be exported and is in no storage. */
interface SealedKey extends EncryptedKey {
  sealingKey: CryptoKey;
  importAlgorithm: KeyImportAlgorithm;
}

// By the key object: a clone of an identity has no copy.
const sealed = new WeakMap<CryptoKey, SealedKey>();

const AES_GCM = { name: 'AES-GCM', length: 256 };
const IV_BYTES = 12;

/**
 * Keeps a sealed copy of `extractable` for the identity that has `keys`; it is forgotten with them.
 *
 * @param importAlgorithm the algorithm of `extractable`
 */
export async function sealKey(
  keys: readonly CryptoKey[],
  extractable: CryptoKey,
  importAlgorithm: KeyImportAlgorithm,
): Promise<void> {
  const [first] = keys;
  if (!first) return;
  const sealingKey = await crypto.subtle.generateKey(AES_GCM, false, ['wrapKey', 'unwrapKey']);
  sealed.set(first, { ...(await encryptKey(extractable, sealingKey)), sealingKey, importAlgorithm });
}

/** Whether there is a sealed copy for the identity that has these keys. */
export function hasSealedCopy(keys: readonly CryptoKey[]): boolean {
  return keys[0] !== undefined && sealed.has(keys[0]);
}

/** Ends the sealed copy of the identity that has these keys. */
export function forgetSealedCopy([first]: readonly CryptoKey[]): void {
  if (first) sealed.delete(first);
}

/** The private key of the identity that has these keys, under another AES-GCM key; undefined without a sealed copy. */
export async function reencryptKey(
  keys: readonly CryptoKey[],
  wrappingKey: CryptoKey,
): Promise<EncryptedKey | undefined> {
  const copy = keys[0] && sealed.get(keys[0]);
  if (!copy) return undefined;
  const { pkcs8, iv, sealingKey, importAlgorithm } = copy;
  const parameters = { name: AES_GCM.name, iv };
  const extractable = await crypto.subtle.unwrapKey(
    'pkcs8',
    pkcs8,
    sealingKey,
    parameters,
    importAlgorithm,
    true,
    ['sign'],
  );
  return encryptKey(extractable, wrappingKey);
}

/** @param extractable a private key that can be exported */
export async function encryptKey(extractable: CryptoKey, wrappingKey: CryptoKey): Promise<EncryptedKey> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const pkcs8 = await crypto.subtle.wrapKey('pkcs8', extractable, wrappingKey, { name: AES_GCM.name, iv });
  return { pkcs8, iv };
}
