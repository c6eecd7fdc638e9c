import { createPrivateKey, sign as nodeSign } from 'node:crypto';
import type { ClientCredential } from '../../src/engine/credential.js';
import { certificateDer, type KeyPair } from './openssl-pki.js';

/** What a client shows and signs with, without WebCrypto: SHA-256 with an RSA or a P-256 key. */
export function credentialOfPair(pair: KeyPair): ClientCredential {
  const key = createPrivateKey(pair.key);
  const rsa = key.asymmetricKeyType === 'rsa';
  return {
    chain: [certificateDer(pair.cert)],
    schemes: rsa ? [0x0804, 0x0401] : [0x0403],
    sign: async (scheme, message) => {
      const padding = scheme === 0x0804 ? { padding: 6, saltLength: 32 } : {};
      return new Uint8Array(nodeSign('sha256', message, { key, ...padding }));
    },
  };
}
