import { MtlsError } from '../errors.js';
import { rewrapKey } from '../identity/sealed-key.js';
import { schemesForKey } from '../identity/signature-schemes.js';

/** A private key at rest under a key that only the person's confirmation gives. */
export interface WrappedKey {
  /** PKCS#8, encrypted by AES-GCM with 256 bits. */
  pkcs8: ArrayBuffer;
  iv: Uint8Array<ArrayBuffer>;
  /** `UserVerification.method`, and what it needs to make the wrapping key again. */
  method: string;
  parameters: unknown;
}

/** @throws TypeError when the identity came neither from a file nor from `createIdentity`, or long ago */
export async function wrapKey(
  keys: readonly CryptoKey[],
  wrappingKey: CryptoKey,
): Promise<Pick<WrappedKey, 'pkcs8' | 'iv'>> {
  const { wrapped, iv } = await rewrapKey(keys, wrappingKey);
  return { pkcs8: wrapped, iv };
}

/**
 * The CryptoKeys, one per signature scheme, none of which can be exported; undefined when the wrapping key is another one.
 *
 * @param keyAlgorithm as in `Certificate.keyAlgorithm`
 */
export async function unwrapKeys(
  { pkcs8, iv }: WrappedKey,
  { wrappingKey, keyAlgorithm }: { wrappingKey: CryptoKey; keyAlgorithm: string },
): Promise<CryptoKey[] | undefined> {
  const parameters = { name: 'AES-GCM', iv };
  try {
    return await Promise.all(
      schemesForKey(keyAlgorithm).map(({ importAlgorithm }) =>
        crypto.subtle.unwrapKey('pkcs8', pkcs8, wrappingKey, parameters, importAlgorithm, false, ['sign']),
      ),
    );
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'OperationError') return undefined;
    throw new MtlsError('ERR_STORE_RECORD', 'The wrapped key of this identity cannot be read.', { cause });
  }
}
