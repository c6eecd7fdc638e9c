import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
import { isEncodable } from '../../../../src/enroll/alt-names.js';
import { CertificateReader } from '../../../../src/identity/certificates/certificate-reader.js';
import {
  type CertificateAuthority,
  createIdentity,
  evaluateTrust,
  IdentityStore,
  openPkcs12,
  parseCertificates,
  renew,
} from '../../../../src/index.js';
import { engineModule } from '../../../support/engine.js';
import { AUTHORITY, commonName, dnsNames, forge, publicKeyOf } from '../../../support/forged-certificates.js';
import { ODD, type OddField, oddFields } from '../../../support/odd-fields.js';
import { certificateBag, keyBag, oddPkcs12, pkcs8Of } from '../../../support/odd-pkcs12.js';

const engine = engineModule();
const root = forge({ subject: commonName('CA'), extensions: AUTHORITY });
const made = (title: string) => {
  const { options } = oddFields.find(it => it.title === title) as OddField;
  return forge({ subject: ODD, by: root, ...options });
};

describe.each(oddFields)('a certificate with $title', field => {
  const { timeless = false } = field;
  const certificate = made(field.title);

  it('opens with its key, is stored and found again', async () => {
    const file = oddPkcs12([
      [keyBag(pkcs8Of(certificate.privateKey)), certificateBag(certificate.der), certificateBag(root.der)],
    ]);
    const { identities, unsupported } = await openPkcs12(file, { engine });
    expect(unsupported).toEqual([]);
    const [identity] = identities;
    expect(identity?.keys).toHaveLength(1);
    if (timeless) {
      expect(identity?.trust).toMatchObject({
        trusted: false,
        message: expect.stringMatching(/validity .* cannot be read/),
      });
    }
    const store = await IdentityStore.open({ name: crypto.randomUUID() });
    const { id } = await store.add(identity as NonNullable<typeof identity>);
    const [stored] = await store.find({ id });
    expect(stored?.certificate).toEqual(identity?.certificate);
    expect(await store.problems()).toEqual([]);
    store.close();
  });

  it('can be shown', async () => {
    const [shown] = await parseCertificates(certificate.cert, { engine });
    expect(shown?.der).toEqual(certificate.der);
    for (const text of [
      shown?.subject,
      shown?.issuer,
      shown?.serialNumber,
      ...(shown?.subjectAltNames ?? []),
    ])
      expect(text).toEqual(expect.any(String));
    const [from, to] = [shown?.notBefore ?? new Date(Number.NaN), shown?.notAfter ?? new Date(Number.NaN)];
    expect(from < to).toBe(!timeless);
    // Neither breaks a page that shows it.
    for (const time of [from, to]) expect(time.toISOString()).toEqual(expect.any(String));
    expect((await CertificateReader.create(engine)).describeChain([certificate.der, root.der])).toHaveLength(
      2,
    );
  });

  it('completes an enrolment, and is renewed', async () => {
    const enrolment = await createIdentity({ subject: 'CN=odd', engine });
    const issued = (request: Uint8Array<ArrayBuffer>) =>
      forge({ subject: ODD, by: root, spki: publicKeyOf(request), ...field.options });
    const identity = await enrolment.complete([issued(enrolment.request).cert, root.cert]);
    expect(identity.keys).toHaveLength(1);
    const authority = {
      renew: (request = enrolment.request) => [issued(request).cert, root.cert],
    } as unknown as CertificateAuthority;
    expect((await renew(identity, authority, { engine })).keys).toEqual(identity.keys);
    const isNameless = identity.certificate.subject === '';
    if (!isNameless)
      expect((await renew(identity, authority, { engine, newKey: 'Ed25519' })).keys).toHaveLength(1);
  });
});

it('shows a field that cannot be read as its octets', async () => {
  const [otherName] = await parseCertificates(made('an otherName without a tag').cert, { engine });
  expect(otherName?.subjectAltNames).toEqual([
    expect.stringMatching(/^otherName:#a0[\da-f]+0c056164614078$/),
  ]);
  const [rdn] = await parseCertificates(made('an RDN that is no set').cert, { engine });
  expect(rdn?.subject).toBe('CN=odd,#040101');
  const [times] = await parseCertificates(made('times of another type').cert, { engine });
  expect([times?.notBefore, times?.notAfter].map(it => it?.getTime())).toEqual([8.64e15, -8.64e15]);
  const [names] = await parseCertificates(made('a GeneralName of an unknown kind').cert, { engine });
  expect(names?.subjectAltNames).toEqual(['other:30', 'DNS:a.b']);
});

it('asks for no name again that is malformed', () => {
  for (const name of ['DNS:a.example', 'UPN:ada@x', 'IP:127.0.0.1']) expect(isEncodable(name)).toBe(true);
  for (const name of ['DNS:\ufffd.a', 'IP:#0102030405', 'otherName:#a000', 'email:ada', 'RID:1.2'])
    expect(isEncodable(name)).toBe(false);
});

it('is an anchor with an alternative name that cannot be read', async () => {
  const [{ options }] = oddFields as [OddField];
  const anchor = forge({
    subject: commonName('Root'),
    extensions: [...AUTHORITY, ...(options.extensions ?? [])],
  });
  const server = forge({ subject: commonName('s'), by: anchor, extensions: [dnsNames(['s.example'])] });
  const asked = { anchors: anchor.cert, hostname: 's.example', engine };
  expect(await evaluateTrust(server.cert, asked)).toMatchObject({ trusted: true });
});
