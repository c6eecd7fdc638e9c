import type { ClientCredential } from '../../engine/credential.js';
import { MtlsError } from '../../errors.js';
import type { Identity } from '../types.js';
import { ecdsaToDer } from './ecdsa-signature.js';
import { isKeyFor, type SchemeAlgorithms, schemesForVersion } from './signature-schemes.js';

/** The credential of an identity in a version of TLS; it holds on to the CryptoKeys alone. */
export function credentialOf(
  { chain, keys }: Pick<Identity, 'chain' | 'keys'>,
  version: 'TLSv1.2' | 'TLSv1.3',
): ClientCredential {
  const signers = new Map<number, { key: CryptoKey; scheme: SchemeAlgorithms }>();
  for (const scheme of schemesForVersion(chain[0]?.keyAlgorithm ?? '', version)) {
    const key = keys.find(it => isKeyFor(it, scheme));
    if (key) signers.set(scheme.code, { key, scheme });
  }
  return {
    chain: chain.map(certificate => certificate.der),
    schemes: [...signers.keys()],
    async sign(code, message) {
      const signer = signers.get(code);
      if (!signer)
        throw new MtlsError('ERR_TLS_SIGNATURE', `The identity has no key for signature scheme ${code}.`);
      return signWith(signer.key, signer.scheme, message);
    },
  };
}

async function signWith(
  key: CryptoKey,
  scheme: SchemeAlgorithms,
  message: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  let signature: Uint8Array<ArrayBuffer>;
  try {
    signature = new Uint8Array(await crypto.subtle.sign(scheme.signAlgorithm, key, message.slice()));
  } catch (cause) {
    throw new MtlsError('ERR_TLS_SIGNATURE', 'The private key could not sign.', { cause });
  }
  return scheme.signAlgorithm.name === 'ECDSA' ? ecdsaToDer(signature) : signature;
}
