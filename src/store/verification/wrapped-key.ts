import { type EncryptedKey, encryptKey, reencryptKey } from '../../identity/keys/sealed-key.js';
import { schemesForKey } from '../../identity/signatures/signature-schemes.js';
import type { IdentityControls } from '../../identity/types.js';
import { noSealedCopy, unreadableKey } from '../errors.js';
import type { UserVerification } from './user-verification.js';

/** A private key at rest under a key that only the person's confirmation gives. */
export interface WrappedKey extends EncryptedKey {
  /** `UserVerification.method`, and what it needs to make the wrapping key again. */
  method: string;
  parameters: unknown;
}

/** What a person's confirmation gives to a new identity. */
export interface Wrapping extends Pick<WrappedKey, 'method' | 'parameters'> {
  /** AES-GCM, with the usage `wrapKey`. */
  wrappingKey: CryptoKey;
}

/** The identity that a wrapping is made for. */
export interface WrappingRequest {
  id: string;
  label: string;
  controls: IdentityControls;
  signal?: AbortSignal;
}

/** Asks the person where the controls require it; otherwise undefined. */
export async function prepareWrapping(
  verification: UserVerification,
  { id, label, controls, signal }: WrappingRequest,
): Promise<Wrapping | undefined> {
  if (controls.userVerification !== 'required') return undefined;
  const asked = verification.prepare({ id, label }, { ...(signal && { signal }) });
  const { wrappingKey, parameters } = await asked;
  return { wrappingKey, method: verification.method, parameters };
}

/** @param privateKey can be exported */
export async function wrapKey(privateKey: CryptoKey, { wrappingKey, ...way }: Wrapping): Promise<WrappedKey> {
  return { ...(await encryptKey(privateKey, wrappingKey)), ...way };
}

/**
 * Wraps the private key of an identity by its sealed copy.
 *
 * @throws MtlsError ERR_IDENTITY_NO_SEALED_COPY
 */
export async function rewrapKey(
  keys: readonly CryptoKey[],
  { wrappingKey, ...way }: Wrapping,
): Promise<WrappedKey> {
  const encrypted = await reencryptKey(keys, wrappingKey);
  if (!encrypted) throw noSealedCopy();
  return { ...encrypted, ...way };
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
    throw unreadableKey(cause);
  }
}
