import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemesForKey } from '../../../src/identity/signatures/signature-schemes.js';
import { createIdentity, type KeyAlgorithmName, type Subject } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { RequestSigner } from './support/openssl.js';

let openssl: RequestSigner;
const engine = engineModule();

beforeAll(() => {
  openssl = new RequestSigner();
});
afterAll(() => openssl.close());

const request = (subject: Subject, subjectAltNames: string[] = []) =>
  createIdentity({ subject, subjectAltNames, engine });

describe.each<[KeyAlgorithmName, string, string]>([
  ['ECDSA P-256', 'ecdsa-with-SHA256', 'prime256v1'],
  ['ECDSA P-384', 'ecdsa-with-SHA384', 'secp384r1'],
  ['ECDSA P-521', 'ecdsa-with-SHA512', 'secp521r1'],
  ['RSA-2048', 'sha256WithRSAEncryption', '2048 bit'],
  ['RSA-3072', 'sha256WithRSAEncryption', '3072 bit'],
  ['RSA-4096', 'sha256WithRSAEncryption', '4096 bit'],
  ['Ed25519', 'ED25519', 'ED25519'],
])('%s', (algorithm, signature, key) => {
  it('makes a request that openssl verifies, and the certificate of which it takes', async () => {
    const enrolment = await createIdentity({ subject: 'CN=Ada', algorithm, engine });
    const text = openssl.readRequest(enrolment.request);
    expect(text).toContain(`Signature Algorithm: ${signature}`);
    expect(text).toContain(key);
    const identity = await enrolment.complete(openssl.issue(enrolment.request));
    expect(identity.certificate.keyAlgorithm).toBe(algorithm);
    expect(identity.keys).toHaveLength(schemesForKey(algorithm).length);
    for (const own of identity.keys) {
      expect(own.extractable).toBe(false);
      await expect(crypto.subtle.exportKey('pkcs8', own)).rejects.toThrow();
    }
  }, 60_000);
});

it('refuses other algorithms', async () => {
  const wrong = { subject: 'CN=Ada', algorithm: 'RSA-1024' as KeyAlgorithmName, engine };
  await expect(createIdentity(wrong)).rejects.toThrow(TypeError);
});

it('writes PEM as openssl does', async () => {
  const enrolment = await request('CN=Ada', ['example.com']);
  const path = openssl.write('as-der', enrolment.request);
  expect(enrolment.requestPem).toBe(openssl.run('req', '-inform', 'DER', '-in', path).toString());
});
