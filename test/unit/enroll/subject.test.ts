import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSubject } from '../../../src/enroll/subject.js';
import { CertificateReader } from '../../../src/identity/certificates/certificate-reader.js';
import { createIdentity, parseCertificates, type Subject } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { RequestSigner } from './support/openssl.js';

let openssl: RequestSigner;
const engine = engineModule();

beforeAll(() => {
  openssl = new RequestSigner();
});
afterAll(() => openssl.close());

const request = (subject: Subject) => createIdentity({ subject, engine });

// Subjects as OpenSSL prints them: type of string, and the name in the form of RFC 2253.
describe.each<[Subject, string]>([
  [
    'CN=Ada Lovelace,O=Analytical Engines,C=GB',
    'CN=UTF8STRING:Ada Lovelace,O=UTF8STRING:Analytical Engines,C=PRINTABLESTRING:GB',
  ],
  ['cn = Ada , o= Engines ', 'CN=UTF8STRING:Ada,O=UTF8STRING:Engines'],
  ['2.5.4.3=Ada,OID.2.5.4.10=E', 'CN=UTF8STRING:Ada,O=UTF8STRING:E'],
  ['UID=ada,DC=example,DC=com', 'UID=UTF8STRING:ada,DC=IA5STRING:example,DC=IA5STRING:com'],
  [
    'emailAddress=ada@example.com,serialNumber=12-3',
    'emailAddress=IA5STRING:ada@example.com,serialNumber=PRINTABLESTRING:12-3',
  ],
  [
    String.raw`CN=Sue\, Grabbit \"and\" Runn\+\<x\>\;\\`,
    String.raw`CN=UTF8STRING:Sue\, Grabbit \"and\" Runn\+\<x\>\;\\`,
  ],
  [String.raw`CN=\ a b\ `, String.raw`CN=UTF8STRING:\ a b\ `],
  [String.raw`CN=\ ,O=x`, String.raw`CN=UTF8STRING:\ ,O=UTF8STRING:x`],
  [String.raw`CN=a\\ ,O=x`, String.raw`CN=UTF8STRING:a\\,O=UTF8STRING:x`],
  [String.raw`CN=\#1`, String.raw`CN=UTF8STRING:\#1`],
  [String.raw`CN=Lu\C4\8Di\C4\87`, 'CN=UTF8STRING:Lučić'],
  ['CN=Lučić 😀', 'CN=UTF8STRING:Lučić 😀'],
  ['CN="Quoted, as before",O=x', String.raw`CN=UTF8STRING:Quoted\, as before,O=UTF8STRING:x`],
  ['CN=#0C03416461', 'CN=UTF8STRING:Ada'],
  ['CN=#1303416461', 'CN=PRINTABLESTRING:Ada'],
  ['UID=1+CN=Ada,O=x', 'CN=UTF8STRING:Ada+UID=UTF8STRING:1,O=UTF8STRING:x'],
  [
    [
      { type: 'CN', value: 'Ada, Countess' },
      { type: 'C', value: 'GB' },
    ],
    String.raw`CN=UTF8STRING:Ada\, Countess,C=PRINTABLESTRING:GB`,
  ],
  [
    [
      [
        { type: 'CN', value: 'Ada' },
        { type: 'UID', value: '1' },
      ],
      { type: 'O', value: 'x' },
    ],
    'CN=UTF8STRING:Ada+UID=UTF8STRING:1,O=UTF8STRING:x',
  ],
])('subject %j', (subject, printed) => {
  it('is what openssl reads', async () => {
    const { request: der } = await request(subject);
    const [, found = ''] = /Subject: (.*)/.exec(openssl.readRequest(der)) ?? [];
    // OpenSSL prints the attributes of one relative name in the other order.
    const canonical = (text: string) =>
      text.split(/(?<!\\),/).map(it =>
        it
          .split(/(?<!\\)\+/)
          .sort()
          .join('+'),
      );
    expect(canonical(found)).toEqual(canonical(printed));
  });
});

it('says the subject as the certificate will', async () => {
  const enrolment = await request(String.raw`CN=Sue\, Grabbit,2.5.4.10=E,1.2.3.4=x`);
  expect(enrolment.subject).toMatch(/^CN=Sue\\, Grabbit,O=E,1\.2\.3\.4=/);
  const [certificate] = await parseCertificates(openssl.issue(enrolment.request), { engine });
  expect(certificate?.subject).toBe(enrolment.subject);
});

it('any subject reads back as it was written', async () => {
  const reader = await CertificateReader.create(engine);
  const attribute = fc.oneof(
    fc.record({
      type: fc.constantFrom('CN', 'O', 'uid', 'description', '1.2.3.4'),
      value: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    }),
    fc.record({
      type: fc.constantFrom('DC', 'emailAddress'),
      value: fc.string({ minLength: 1, maxLength: 20 }),
    }),
  );
  const whiteSpace = ['\u3000x', 'x\u3000', '\tx\n', '\ufeffx', '\u00a0', ' x '];
  const subject = fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(subject, attributes => {
      const der = encodeSubject(attributes);
      expect(encodeSubject(reader.describeName(der))).toEqual(der);
    }),
    { numRuns: 2_000, examples: whiteSpace.map(value => [[[{ type: 'CN', value }]]]) },
  );
});

it.each<[string, Subject]>([
  ['no attribute', 'Ada'],
  ['an unknown attribute', 'FOO=Ada'],
  ['an empty value', 'CN='],
  ['a separator at the end', 'CN=Ada,'],
  ['a character that must be escaped', 'CN=a<b'],
  ['a wrong escape', String.raw`CN=a\x`],
  ['a backslash at the end', 'CN=a\\'],
  ['octets that are not UTF-8', String.raw`CN=\C4`],
  ['hex that is no DER', 'CN=#0C05416461'],
  ['a country of three letters', 'C=GBR'],
  ['a country that is no letters', 'C=12'],
  ['an e-mail address beyond ASCII', 'emailAddress=lučić@example.com'],
  ['a serial number beyond PrintableString', 'serialNumber=a_b'],
  ['65 characters of CN', `CN=${'x'.repeat(65)}`],
  ['half a surrogate pair', [{ type: 'CN', value: '\ud800' }]],
  ['an attribute without a value', [{ type: 'CN' } as never]],
  ['an OID that is none', '3.4.5=x'],
  ['nothing at all', ''],
])('refuses a subject with %s', async (_, subject) => {
  await expect(request(subject)).rejects.toThrow(TypeError);
});
