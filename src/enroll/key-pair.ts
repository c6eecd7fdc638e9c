import { MtlsError } from '../errors.js';
import { encryptKey } from '../identity/keys/sealed-key.js';
import { ecdsaToDer } from '../identity/signatures/ecdsa-signature.js';
import { schemesForKey } from '../identity/signatures/signature-schemes.js';
import { type WrappedKey, type Wrapping, wrapKey } from '../store/verification/wrapped-key.js';
import { type Der, element, objectIdentifier, sequence, Tag } from './der.js';

/** The kinds of keys that `createIdentity` makes; named as in `Certificate.keyAlgorithm`. */
export type KeyAlgorithmName =
  | 'ECDSA P-256'
  | 'ECDSA P-384'
  | 'ECDSA P-521'
  | 'RSA-2048'
  | 'RSA-3072'
  | 'RSA-4096'
  | 'Ed25519';

interface KeyKind {
  generation: Algorithm | EcKeyGenParams | RsaHashedKeyGenParams;
  /** How it signs a request: for WebCrypto, and as an AlgorithmIdentifier. */
  signAlgorithm: { name: string; hash?: string };
  signatureAlgorithm: Der;
}

const ecdsa = (namedCurve: string, hash: string, oid: string): KeyKind => ({
  generation: { name: 'ECDSA', namedCurve },
  signAlgorithm: { name: 'ECDSA', hash },
  signatureAlgorithm: sequence(objectIdentifier(oid)),
});

const rsa = (modulusLength: number): KeyKind => {
  const name = 'RSASSA-PKCS1-v1_5';
  return {
    generation: { name, hash: 'SHA-256', modulusLength, publicExponent: Uint8Array.of(1, 0, 1) },
    signAlgorithm: { name },
    // RFC 4055, section 5: parameters NULL.
    signatureAlgorithm: sequence(objectIdentifier('1.2.840.113549.1.1.11'), element(Tag.null)),
  };
};

const kinds: Record<KeyAlgorithmName, () => KeyKind> = {
  'ECDSA P-256': () => ecdsa('P-256', 'SHA-256', '1.2.840.10045.4.3.2'),
  'ECDSA P-384': () => ecdsa('P-384', 'SHA-384', '1.2.840.10045.4.3.3'),
  'ECDSA P-521': () => ecdsa('P-521', 'SHA-512', '1.2.840.10045.4.3.4'),
  'RSA-2048': () => rsa(2048),
  'RSA-3072': () => rsa(3072),
  'RSA-4096': () => rsa(4096),
  Ed25519: () => ({
    generation: { name: 'Ed25519' },
    signAlgorithm: { name: 'Ed25519' },
    signatureAlgorithm: sequence(objectIdentifier('1.3.101.112')),
  }),
};

/** A new key pair: the private key can sign with every scheme of TLS that fits it, and cannot be exported. */
export interface KeyPair {
  /** Empty when the private key was wrapped. */
  keys: CryptoKey[];
  wrapped?: WrappedKey;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Der;
  /** AlgorithmIdentifier of what `sign` makes, DER. */
  signatureAlgorithm: Der;
  /** In the encoding that certificates and requests have. */
  sign(message: Der): Promise<Uint8Array>;
}

/** WebKitGTK fails to make some Ed25519 keys (4 of 500), by their own octets: the next one is another. */
const ATTEMPTS = 5;

/**
 * A key pair that cannot be exported; with `wrapping`, its private key is only left wrapped.
 *
 * @throws MtlsError ERR_ENROLL_UNSUPPORTED when WebCrypto has no such keys here
 * @throws TypeError for an algorithm that is none of `KeyAlgorithmName`
 */
export async function generateKeyPair(algorithm: KeyAlgorithmName, wrapping?: Wrapping): Promise<KeyPair> {
  if (!Object.hasOwn(kinds, algorithm))
    throw new TypeError(`"algorithm" must be one of ${Object.keys(kinds).join(', ')}`);
  const { signAlgorithm, signatureAlgorithm } = kinds[algorithm]();
  // What is to be wrapped, or to become a key for each scheme, has to leave WebCrypto wrapped.
  const extractable = wrapping !== undefined || schemesForKey(algorithm).length > 1;
  const { publicKey, privateKey, keys } = await generate(algorithm, extractable);
  const wrapped = wrapping && (await wrapKey(privateKey, wrapping));
  const own = keys.find(key => key.algorithm.name === signAlgorithm.name) as CryptoKey;
  return {
    keys: wrapped ? [] : keys,
    ...(wrapped && { wrapped }),
    publicKey: new Uint8Array(await crypto.subtle.exportKey('spki', publicKey)),
    signatureAlgorithm,
    async sign(message) {
      const signature = new Uint8Array(await crypto.subtle.sign(signAlgorithm, own, message));
      return signAlgorithm.name === 'ECDSA' ? ecdsaToDer(signature) : signature;
    },
  };
}

/**
 * Makes a key pair for nothing, which costs little but for RSA; that every WebCrypto has.
 *
 * @throws as `generateKeyPair`
 */
export async function checkSupport(algorithm: KeyAlgorithmName): Promise<void> {
  if (!schemesForKey(algorithm).some(it => it.importAlgorithm.hash)) await generateKeyPair(algorithm);
}

interface GeneratedKeys extends CryptoKeyPair {
  /** The private key as keys that cannot be exported, one for each scheme. */
  keys: CryptoKey[];
}

async function generate(algorithm: KeyAlgorithmName, extractable: boolean): Promise<GeneratedKeys> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryToGenerate(algorithm, extractable);
    } catch (cause) {
      if (attempt < ATTEMPTS && (cause as DOMException).name === 'OperationError') continue;
      const message = `The WebCrypto of this browser makes no ${algorithm} keys: choose another algorithm.`;
      throw new MtlsError('ERR_ENROLL_UNSUPPORTED', message, { cause });
    }
  }
}

async function tryToGenerate(algorithm: KeyAlgorithmName, extractable: boolean): Promise<GeneratedKeys> {
  const { generation } = kinds[algorithm]();
  const generated = await crypto.subtle.generateKey(generation, extractable, ['sign', 'verify']);
  const { publicKey, privateKey } = generated as CryptoKeyPair;
  const keys = extractable ? await withoutExport(privateKey, algorithm) : [privateKey];
  return { publicKey, privateKey, keys };
}

/**
 * The key once for each scheme that it signs with, because WebCrypto binds a key to one; from one to the other it goes
 * wrapped, so that no script ever holds its bytes.
 */
async function withoutExport(privateKey: CryptoKey, algorithm: KeyAlgorithmName): Promise<CryptoKey[]> {
  const wrappingKey = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'wrapKey',
    'unwrapKey',
  ]);
  const { pkcs8, iv } = await encryptKey(privateKey, wrappingKey);
  const parameters = { name: 'AES-GCM', iv };
  return Promise.all(
    schemesForKey(algorithm).map(({ importAlgorithm }) =>
      crypto.subtle.unwrapKey('pkcs8', pkcs8, wrappingKey, parameters, importAlgorithm, false, ['sign']),
    ),
  );
}
