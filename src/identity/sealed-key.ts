// A copy of a private key that can be wrapped again, for as long as its identity is in memory: keys that cannot be exported
// cannot be wrapped either, and whether an identity is to be kept wrapped is only said when it is added to the store.

/** PKCS#8 under an AES-GCM key that cannot be exported and is in no storage. */
interface SealedKey {
  wrapped: ArrayBuffer;
  iv: Uint8Array<ArrayBuffer>;
  sealingKey: CryptoKey;
  importAlgorithm: KeyImportAlgorithm;
}

type KeyImportAlgorithm = { name: string; hash?: string; namedCurve?: string };

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
  const { wrapped, iv } = await wrap(extractable, sealingKey);
  sealed.set(first, { wrapped, iv, sealingKey, importAlgorithm });
}

/** Whether the identity that has these keys can still be wrapped. */
export function canRewrap(keys: readonly CryptoKey[]): boolean {
  return keys[0] !== undefined && sealed.has(keys[0]);
}

/**
 * The private key of the identity that has these keys, as PKCS#8 under another AES-GCM key.
 *
 * @throws TypeError when there is no sealed copy: the identity came neither from a file nor from `createIdentity`
 */
export async function rewrapKey(
  keys: readonly CryptoKey[],
  wrappingKey: CryptoKey,
): Promise<{ wrapped: ArrayBuffer; iv: Uint8Array<ArrayBuffer> }> {
  const copy = keys[0] && sealed.get(keys[0]);
  if (!copy)
    throw new TypeError('the keys of this identity cannot be wrapped any more: import or enrol it again');
  const { wrapped, iv, sealingKey, importAlgorithm } = copy;
  const parameters = { name: AES_GCM.name, iv };
  const extractable = await crypto.subtle.unwrapKey(
    'pkcs8',
    wrapped,
    sealingKey,
    parameters,
    importAlgorithm,
    true,
    ['sign'],
  );
  return wrap(extractable, wrappingKey);
}

async function wrap(key: CryptoKey, wrappingKey: CryptoKey) {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const wrapped = await crypto.subtle.wrapKey('pkcs8', key, wrappingKey, { name: AES_GCM.name, iv });
  return { wrapped, iv };
}
