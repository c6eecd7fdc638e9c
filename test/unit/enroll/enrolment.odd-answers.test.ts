import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bitString, type Der, element, objectIdentifier, sequence, Tag } from '../../../src/enroll/der.js';
import { elementsOf, firstElementOf } from '../../../src/identity/der.js';
import { type CertificateAuthority, createIdentity, renew } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { AUTHORITY, commonName, forge, publicKeyOf, spkiOf } from '../../support/forged-certificates.js';
import { withoutNull } from '../../support/producers/by-hand.js';

// Authorities that write the key of a request in another way into the certificate.

const engine = engineModule();
const { privateKey: signer } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const root = forge({
  subject: commonName('CA'),
  key: signer,
  spki: withoutNull(spkiOf(signer)),
  extensions: AUTHORITY,
});

const P256 = sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.840.10045.3.1.7'));
const ED25519 = sequence(objectIdentifier('1.3.101.112'), element(Tag.null));

const inside = (der: Uint8Array) => elementsOf(firstElementOf(der).content);

/** The key's own bits, without the octet that counts those that are not used. */
const bitsOf = (spki: Der) => inside(spki)[1]?.content.subarray(1) as Der;

function compressed(spki: Der): Der {
  const point = bitsOf(spki);
  return sequence(
    P256,
    bitString(Uint8Array.from([2 + ((point.at(-1) ?? 0) & 1), ...point.subarray(1, 33)])),
  );
}

describe.each<['ECDSA P-256' | 'RSA-2048' | 'Ed25519', string, (spki: Der) => Der]>([
  ['RSA-2048', 'NULL left out', withoutNull],
  ['ECDSA P-256', 'its point compressed', compressed],
  ['Ed25519', 'NULL too many', spki => sequence(ED25519, bitString(bitsOf(spki)))],
])('a certificate for %s with %s', (algorithm, _, change) => {
  const issue = (request: Uint8Array<ArrayBuffer>, name: string) => {
    const publicKey = publicKeyOf(request);
    return forge({ subject: commonName(name), by: root, key: signer, spki: change(publicKey) }).der;
  };

  it('completes an enrolment, and renews an identity', async () => {
    const enrolment = await createIdentity({ subject: 'CN=Ada', algorithm, engine });
    const identity = await enrolment.complete([issue(enrolment.request, 'Ada'), root.der]);
    expect(identity.chain.map(it => it.subject)).toEqual(['CN=Ada', 'CN=CA']);
    expect(identity.trust).toMatchObject({ trusted: true });
    const authority = {
      renew: () => [issue(enrolment.request, 'Ada again'), root.der],
    } as unknown as CertificateAuthority;
    const renewed = await renew(identity, authority, { engine });
    expect(renewed.certificate.subject).toBe('CN=Ada again');
    expect(renewed.keys).toEqual(identity.keys);
  });
});
