import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { schemesForKey } from '../../../../src/identity/signatures/signature-schemes.js';
import { credentialOf } from '../../../../src/identity/signatures/signing.js';
import { verifySignature } from '../../../../src/identity/signatures/verify-signature.js';
import type { Identity } from '../../../../src/identity/types.js';

const message = new TextEncoder().encode('what the handshake signs');

async function generate(keyAlgorithm: string): Promise<{ keys: CryptoKey[]; publicKey: KeyObject }> {
  const schemes = schemesForKey(keyAlgorithm);
  const { importAlgorithm } = schemes[0] ?? { importAlgorithm: { name: '' } };
  const rsa = {
    modulusLength: Number(/\d+$/.exec(keyAlgorithm)?.[0]),
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const pair = (await crypto.subtle.generateKey({ ...rsa, ...importAlgorithm }, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair;
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', pair.privateKey);
  const keys = schemes.map(it =>
    crypto.subtle.importKey('pkcs8', pkcs8, it.importAlgorithm, false, ['sign']),
  );
  const spki = Buffer.from(await crypto.subtle.exportKey('spki', pair.publicKey));
  return {
    keys: await Promise.all(keys),
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
  };
}

/** What a TLS server does with the signature, by OpenSSL. */
function verifies(scheme: number, publicKey: KeyObject, signature: Uint8Array): boolean {
  const hash =
    { 4: 'sha256', 5: 'sha384', 6: 'sha512', 9: 'sha256', 10: 'sha384', 11: 'sha512' }[scheme & 0xff] ??
    { 4: 'sha256', 5: 'sha384', 6: 'sha512' }[scheme >> 8];
  if (scheme === 0x0807) return verify(null, message, publicKey, signature);
  if (scheme >> 8 === 8) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    return verify(
      hash,
      message,
      { key: publicKey, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
      signature,
    );
  }
  return verify(hash, message, publicKey, signature);
}

const rsa = [0x0804, 0x0805, 0x0806];
const pkcs1 = [0x0401, 0x0501, 0x0601];
const restricted = [0x0809, 0x080a, 0x080b];

describe('credentialOf', () => {
  it.each<['TLSv1.2' | 'TLSv1.3', string, number[]]>([
    ['TLSv1.2', 'RSA-2048', [...rsa, ...pkcs1]],
    ['TLSv1.2', 'RSA-1024', [0x0804, 0x0805, ...pkcs1]],
    ['TLSv1.2', 'RSASSA-PSS-2048', restricted],
    ['TLSv1.2', 'ECDSA P-256', [0x0403, 0x0503, 0x0603]],
    ['TLSv1.2', 'ECDSA P-384', [0x0503, 0x0403, 0x0603]],
    ['TLSv1.2', 'ECDSA P-521', [0x0603, 0x0403, 0x0503]],
    ['TLSv1.2', 'Ed25519', [0x0807]],
    ['TLSv1.3', 'RSA-2048', rsa],
    ['TLSv1.3', 'RSA-1024', [0x0804, 0x0805]],
    ['TLSv1.3', 'RSASSA-PSS-2048', restricted],
    ['TLSv1.3', 'ECDSA P-256', [0x0403]],
    ['TLSv1.3', 'ECDSA P-384', [0x0503]],
    ['TLSv1.3', 'ECDSA P-521', [0x0603]],
    ['TLSv1.3', 'Ed25519', [0x0807]],
  ])(
    'signs over %s with %s as the server verifies',
    async (version, keyAlgorithm, schemes) => {
      const { keys, publicKey } = await generate(keyAlgorithm);
      const der = new Uint8Array([1]);
      const identity = { chain: [{ der, keyAlgorithm }], keys: keys.reverse() } as unknown as Identity;
      const credential = credentialOf(identity, version);
      expect(credential.chain).toEqual([der]);
      expect(credential.schemes).toEqual(schemes);
      const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
      for (const scheme of schemes) {
        const signature = await credential.sign(scheme, message);
        expect(verifies(scheme, publicKey, signature), scheme.toString(16)).toBe(true);
        const signed = { version, scheme, spki, message, signature };
        expect(await verifySignature(signed), scheme.toString(16)).toBe(true);
        expect(await verifySignature({ ...signed, message: der })).toBe(false);
      }
      await expect(credential.sign(0x0201, message)).rejects.toMatchObject({ code: 'ERR_TLS_SIGNATURE' });
    },
    20_000,
  );

  it('verifies no signature of a scheme that the version or the key does not have', async () => {
    for (const [version, keyAlgorithm, scheme] of [
      ['TLSv1.3', 'ECDSA P-256', 0x0503],
      ['TLSv1.3', 'RSA-2048', 0x0401],
      ['TLSv1.2', 'RSA-2048', 0x0201],
      ['TLSv1.2', 'ECDSA P-256', 0x0804],
    ] as const) {
      const { publicKey } = await generate(keyAlgorithm);
      const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
      const signed = { version, scheme, spki, message, signature: new Uint8Array(64) };
      expect(await verifySignature(signed), keyAlgorithm).toBeUndefined();
    }
  });

  it('has no scheme for a key that TLS cannot use', () => {
    for (const name of ['RSA-256', 'RSASSA-PSS-512', 'ECDSA secp256k1', 'DSA', '1.2.3', 'constructor'])
      expect(schemesForKey(name)).toEqual([]);
  });
});
