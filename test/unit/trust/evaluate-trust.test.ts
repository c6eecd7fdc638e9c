import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EvaluateTrustOptions,
  evaluateTrust,
  openPkcs12,
  parseCertificates,
} from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import type { KeyPair } from '../../support/openssl-pki.js';
import { writePkcs12 } from '../../support/pkcs12.js';
import { CA, daysFromNow, pinOf, SERVER, TrustPki } from '../../support/trust-pki.js';

const engine = engineModule();
const pki = new TrustPki();
const hostname = 'server.example';
const forServer = [...SERVER, `subjectAltName=DNS:${hostname},IP:192.0.2.1,IP:2001:db8::1`];
let root: KeyPair;
let middle: KeyPair;
let leaf: KeyPair;

beforeAll(() => {
  root = pki.issue({ subject: '/CN=Root', extensions: CA });
  middle = pki.issue({ by: root, subject: '/CN=Middle', extensions: CA });
  leaf = pki.issue({ by: middle, subject: '/CN=Leaf', extensions: forServer });
});
afterAll(() => pki.close());

type Options = Omit<EvaluateTrustOptions, 'engine'>;

function evaluate(chain: KeyPair[], options: Options = {}) {
  return evaluateTrust(
    chain.map(it => it.cert),
    { anchors: root.cert, hostname, ...options, engine },
  );
}

/** The code, or `trusted`. */
async function outcome(chain: KeyPair[], options?: Options): Promise<string | undefined> {
  const { trusted, code } = await evaluate(chain, options);
  return trusted ? 'trusted' : code;
}

const issue = (extensions: string[], more: Partial<Parameters<TrustPki['issue']>[0]> = {}) =>
  pki.issue({ by: root, subject: '/CN=Other', extensions, ...more });

describe('one call after the other', () => {
  it('shares nothing: each is judged by its own options', async () => {
    const none = await outcome([leaf, middle], { anchors: [] });
    const judged = [
      await outcome([leaf, middle]),
      await outcome([leaf, middle], { anchors: [] }),
      await outcome([leaf]),
      await outcome([leaf, middle], { hostname: 'other.example' }),
      await outcome([leaf, middle], { at: new Date(Date.now() + 10_000 * 86_400_000) }),
      await outcome([leaf, middle], { pins: [pinOf(root.cert)] }),
      await outcome([leaf, middle], { pins: [pinOf(issue(CA).cert)] }),
      await outcome([leaf, middle]),
    ];
    expect(none).toBe('ERR_TLS_CERT_UNTRUSTED');
    expect(judged).toEqual([
      'trusted',
      'ERR_TLS_CERT_UNTRUSTED',
      'ERR_TLS_CERT_UNTRUSTED',
      'ERR_TLS_CERT_NAME',
      'ERR_TLS_CERT_EXPIRED',
      'trusted',
      'ERR_TLS_PIN',
      'trusted',
    ]);
  });

  it('goes on behind misuse, what is malformed and many at once', async () => {
    const misuse = evaluateTrust(leaf.cert, { anchors: root.cert, hostname: '*.example', engine });
    await expect(misuse).rejects.toBeInstanceOf(TypeError);
    const malformed = new Uint8Array([0x30, 0x03, 1, 2, 3]);
    const broken = await evaluateTrust(malformed, { anchors: root.cert, engine });
    expect(broken.trusted).toBe(false);
    const all = await Promise.all(Array.from({ length: 20 }, () => outcome([leaf, middle])));
    expect(all).toEqual(Array(20).fill('trusted'));
  });
});

describe('the path', () => {
  it('leads from the leaf to the anchor, whatever the order of the others', async () => {
    const stranger = pki.issue({ subject: '/CN=Stranger', extensions: CA });
    const result = await evaluate([leaf, stranger, middle]);
    expect(result.trusted).toBe(true);
    expect(result.chain.map(it => it.subject)).toEqual(['CN=Leaf', 'CN=Middle', 'CN=Root']);
  });

  it('takes certificates as PEM, DER and Certificate', async () => {
    const certificates = await parseCertificates([leaf.cert, middle.cert], { engine });
    const [anchor] = await parseCertificates(root.cert, { engine });
    const own = certificates[0];
    if (!own || !anchor) throw new Error('no certificate');
    const mixed = [own.der.slice(), middle.cert];
    for (const chain of [certificates, mixed, leaf.cert + middle.cert]) {
      for (const anchors of [anchor, [anchor.der.slice()], [root.cert + middle.cert]])
        expect((await evaluateTrust(chain, { anchors, engine })).trusted).toBe(true);
    }
  });

  it('ends with an anchor from a .p12', async () => {
    const file = writePkcs12(leaf, { password: 'x', chain: middle.cert + root.cert });
    const [identity] = (await openPkcs12(file, { password: 'x', engine })).identities;
    const anchors = identity?.chain.slice(-1) ?? [];
    expect(anchors[0]?.subject).toBe('CN=Root');
    expect(await outcome([leaf, middle], { anchors })).toBe('trusted');
  });

  it('is missing: the message names the issuer that is not there', async () => {
    const result = await evaluate([leaf]);
    expect(result).toMatchObject({ trusted: false, code: 'ERR_TLS_CERT_UNTRUSTED' });
    expect(result.message).toContain('CN=Middle');
    expect(result.chain.map(it => it.subject)).toEqual(['CN=Leaf']);
    expect(await outcome([leaf, middle], { anchors: [] })).toBe('ERR_TLS_CERT_UNTRUSTED');
  });

  it('may be the anchor itself, shown as a server does that signed its own certificate', async () => {
    const own = pki.issue({
      subject: '/CN=Device',
      extensions: ['basicConstraints=CA:TRUE', `subjectAltName=DNS:${hostname}`],
    });
    expect(await outcome([own], { anchors: own.cert })).toBe('trusted');
    expect(await outcome([own], { anchors: own.cert, hostname: 'other.example' })).toBe('ERR_TLS_CERT_NAME');
    const at = new Date(Date.now() + 100 * 86_400_000);
    expect(await outcome([own], { anchors: own.cert, at })).toBe('ERR_TLS_CERT_EXPIRED');
  });

  it('has the Mozilla roots at its end on demand', async () => {
    const result = await evaluate([leaf, middle], { anchors: 'mozilla' });
    expect(result.code).toBe('ERR_TLS_CERT_UNTRUSTED');
    expect(await outcome([leaf, middle], { anchors: ['mozilla', root.cert] })).toBe('trusted');
    const broken = evaluate([leaf], { anchors: 'mozilla', mozillaRoots: Uint8Array.of(1, 2, 3) });
    await expect(broken).rejects.toMatchObject({ code: 'ERR_TRUST_ROOTS_LOAD' });
  });
});

describe('names', () => {
  it.each([
    [hostname, 'trusted'],
    ['SERVER.example.', 'trusted'],
    ['192.0.2.1', 'trusted'],
    ['2001:db8::1', 'trusted'],
    ['[2001:DB8:0::1]', 'trusted'],
    ['192.0.2.2', 'ERR_TLS_CERT_NAME'],
    ['other.example', 'ERR_TLS_CERT_NAME'],
    ['a.server.example', 'ERR_TLS_CERT_NAME'],
  ])('%s: %s', async (name, expected) => {
    expect(await outcome([leaf, middle], { hostname: name })).toBe(expected);
  });

  it.each([
    ['*.server.example', 'a.server.example', 'trusted'],
    ['*.server.example', 'a.b.server.example', 'ERR_TLS_CERT_NAME'],
    ['*.server.example', 'server.example', 'ERR_TLS_CERT_NAME'],
    ['a*.server.example', 'ab.server.example', 'ERR_TLS_CERT_NAME'],
    ['xn--bcher-kva.example', 'bücher.example', 'trusted'],
  ])('a certificate for %s, asked as %s: %s', async (pattern, name, expected) => {
    expect(await outcome([issue([...SERVER, `subjectAltName=DNS:${pattern}`])], { hostname: name })).toBe(
      expected,
    );
  });

  it('in the common name alone count for nothing, and the message says so', async () => {
    const result = await evaluate([issue(SERVER, { subject: `/CN=${hostname}` })]);
    expect(result.code).toBe('ERR_TLS_CERT_NAME');
    expect(result.message).toMatch(/only a common name.*subjectAltName for server\.example/);
  });

  it('are not looked at where none is given', async () => {
    expect((await evaluateTrust([leaf.cert, middle.cert], { anchors: root.cert, engine })).trusted).toBe(
      true,
    );
  });
});

describe('what makes a chain untrusted', () => {
  const ca = (...extensions: string[]) => issue(extensions, { subject: '/CN=Sub' });
  const below = (by: KeyPair, extensions = forServer, more = {}) => [issue(extensions, { by, ...more }), by];
  const CASES: [what: string, chain: () => KeyPair[], code: string, message: RegExp][] = [
    [
      'dates before',
      () => [issue(forServer, { dates: [daysFromNow(-9), daysFromNow(-2)] })],
      'ERR_TLS_CERT_EXPIRED',
      /CN=Other expired on \d{4}-/,
    ],
    [
      'dates after',
      () => [issue(forServer, { dates: [daysFromNow(2), daysFromNow(9)] })],
      'ERR_TLS_CERT_NOT_YET_VALID',
      /CN=Other is not valid before/,
    ],
    [
      'an issuer that has expired',
      () => below(issue(CA, { dates: [daysFromNow(-9), daysFromNow(-2)] })),
      'ERR_TLS_CERT_EXPIRED',
      /expired/,
    ],
    [
      'another purpose',
      () => [issue(['extendedKeyUsage=clientAuth', `subjectAltName=DNS:${hostname}`])],
      'ERR_TLS_CERT_PURPOSE',
      /serverAuth/,
    ],
    [
      'a malformed key identifier',
      () => below(ca(...CA, '2.5.29.35=DER:800101')),
      'ERR_TLS_CERT_UNTRUSTED',
      /key identifier that is malformed/,
    ],
    [
      'an authority as a server that is none by its key usage',
      () => [
        issue([
          'basicConstraints=critical,CA:TRUE',
          'keyUsage=digitalSignature',
          `subjectAltName=DNS:${hostname}`,
        ]),
      ],
      'ERR_TLS_CERT_UNTRUSTED',
      /CA:TRUE/,
    ],
    [
      'an issuer that is no authority',
      () => below(ca('basicConstraints=CA:FALSE')),
      'ERR_TLS_CERT_UNTRUSTED',
      /no certificate authority/,
    ],
    [
      'an issuer without keyCertSign',
      () => below(ca('basicConstraints=CA:TRUE', 'keyUsage=digitalSignature')),
      'ERR_TLS_CERT_UNTRUSTED',
      /keyCertSign/,
    ],
    [
      'a path that is too long',
      () => {
        const short = ca('basicConstraints=critical,CA:TRUE,pathlen:0');
        return [...below(issue(CA, { by: short, subject: '/CN=Deeper' })), short];
      },
      'ERR_TLS_CERT_UNTRUSTED',
      /path length/,
    ],
    [
      'more authorities than there may be',
      () => {
        const authorities = [ca(...CA)];
        while (authorities.length < 8)
          authorities.unshift(
            issue(CA, { by: authorities[0] as KeyPair, subject: `/CN=Sub ${authorities.length}` }),
          );
        return [...below(authorities[0] as KeyPair), ...authorities];
      },
      'ERR_TLS_CERT_UNTRUSTED',
      /more than 6 authorities/,
    ],
    [
      'a name outside of the permitted',
      () => below(ca(...CA, 'nameConstraints=critical,permitted;DNS:other.example')),
      'ERR_TLS_CERT_UNTRUSTED',
      /nameConstraints/,
    ],
    [
      'an excluded name',
      () => below(ca(...CA, `nameConstraints=critical,excluded;DNS:${hostname}`)),
      'ERR_TLS_CERT_UNTRUSTED',
      /nameConstraints/,
    ],
    [
      'an excluded address',
      () => below(ca(...CA, 'nameConstraints=critical,excluded;IP:192.0.2.0/255.255.255.0')),
      'ERR_TLS_CERT_UNTRUSTED',
      /nameConstraints/,
    ],
    [
      'name constraints in a leaf',
      () => [issue([...forServer, 'nameConstraints=permitted;DNS:example'])],
      'ERR_TLS_CERT_UNTRUSTED',
      /name constraints/,
    ],
    [
      'an unknown critical extension',
      () => [issue([...forServer, '1.2.3.4=critical,ASN1:NULL'])],
      'ERR_TLS_CERT_UNTRUSTED',
      /critical extension/,
    ],
    [
      'a SHA-1 signature',
      () => [issue(forServer, { args: ['-md', 'sha1'] })],
      'ERR_TLS_CERT_UNTRUSTED',
      /weak or unsupported/,
    ],
    [
      'a short RSA key',
      () => [issue(forServer, { key: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'] })],
      'ERR_TLS_CERT_UNTRUSTED',
      /RSA-1024/,
    ],
    [
      'a small curve',
      () => [issue(forServer, { key: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-192'] })],
      'ERR_TLS_CERT_UNTRUSTED',
      /weak or unsupported key/,
    ],
    ['a version 1 certificate', () => [issue([])], 'ERR_TLS_CERT_UNTRUSTED', /version 3/],
    [
      'a signature of another key',
      () => [issue(forServer, { by: pki.issue({ subject: '/CN=Root', extensions: CA }) })],
      'ERR_TLS_CERT_UNTRUSTED',
      /signature/,
    ],
  ];

  it.each(CASES)('%s', async (_what, chain, code, message) => {
    const result = await evaluate(chain());
    expect(result.code).toBe(code);
    expect(result.message).toMatch(message);
  });

  it('an anchor that has expired, or that may not issue', async () => {
    const old = pki.issue({ subject: '/CN=Old', extensions: CA, dates: [daysFromNow(-9), daysFromNow(-2)] });
    const anchors = old.cert;
    expect(await outcome([issue(forServer, { by: old })], { anchors })).toBe('ERR_TLS_CERT_EXPIRED');
    const plain = pki.issue({ subject: '/CN=Plain', extensions: ['basicConstraints=CA:FALSE'] });
    expect(await outcome([issue(forServer, { by: plain })], { anchors: plain.cert })).toBe(
      'ERR_TLS_CERT_UNTRUSTED',
    );
  });

  it('bytes that are no certificate', async () => {
    const result = await evaluateTrust(Uint8Array.of(0x30, 1, 2), { anchors: root.cert, engine });
    expect(result).toMatchObject({ trusted: false, code: 'ERR_TLS_CERT_UNTRUSTED', chain: [] });
    const anchor = await evaluate([leaf, middle], { anchors: Uint8Array.of(0x30, 1, 2) });
    expect(anchor.code).toBe('ERR_CERT_MALFORMED');
    await expect(evaluate([leaf], { anchors: 'no PEM' })).rejects.toMatchObject({
      code: 'ERR_CERT_MALFORMED',
    });
  });
});

it('judges for another time and for clients', async () => {
  const at = new Date(Date.now() + 60 * 86_400_000);
  expect(await outcome([leaf, middle], { at })).toBe('ERR_TLS_CERT_EXPIRED');
  const client = issue(['extendedKeyUsage=clientAuth']);
  expect((await evaluateTrust(client.cert, { anchors: root.cert, purpose: 'client', engine })).trusted).toBe(
    true,
  );
  const server = await evaluateTrust(leaf.cert + middle.cert, {
    anchors: root.cert,
    purpose: 'client',
    engine,
  });
  expect(server.code).toBe('ERR_TLS_CERT_PURPOSE');
});

it('limits how many authorities stand in between', async () => {
  expect(await outcome([leaf, middle], { maxChainLength: 1 })).toBe('trusted');
  expect(await outcome([leaf, middle], { maxChainLength: 1000 })).toBe('trusted');
  const result = await evaluate([leaf, middle], { maxChainLength: 0 });
  expect(result.code).toBe('ERR_TLS_CERT_UNTRUSTED');
  expect(result.message).toContain('maxChainLength');
  expect(await outcome([issue(forServer)], { maxChainLength: 0 })).toBe('trusted');
});

it('a wrong option is a TypeError', async () => {
  const wrong = [
    { at: new Date(Number.NaN) },
    { purpose: 'email' as 'client' },
    { hostname: 'not a host' },
    { pins: ['sha256/short'] },
    { pins: { [hostname]: [] } },
    { maxChainLength: -1 },
    { maxChainLength: 1.5 },
    { ocsp: 'text' as unknown as Uint8Array<ArrayBuffer> },
  ];
  for (const options of wrong) await expect(evaluate([leaf], options)).rejects.toThrow(TypeError);
  await expect(evaluateTrust([], { anchors: root.cert, engine })).rejects.toThrow(TypeError);
});

describe('revocation lists', () => {
  it('of the issuers that have one', async () => {
    const chain = [leaf, middle];
    const clean = pki.crl(middle, []);
    const revoking = pki.crl(middle, [leaf]);
    expect(await outcome(chain, { crls: [clean, pki.crl(root, [])] })).toBe('trusted');
    expect(await outcome(chain, { crls: revoking })).toBe('ERR_TLS_CERT_REVOKED');
    expect(await outcome(chain, { crls: pki.crl(root, [middle]) })).toBe('ERR_TLS_CERT_REVOKED');
    const der = pki.run(['crl', '-in', pki.file('crl', revoking), '-outform', 'DER']);
    expect(await outcome(chain, { crls: new Uint8Array(der) })).toBe('ERR_TLS_CERT_REVOKED');
  });

  it('the newest counts, in any order', async () => {
    const old = pki.crl(middle, [leaf], { days: [-3, 7] });
    const recent = pki.crl(middle, [], { days: [-1, 7] });
    for (const crls of [old + recent, recent + old])
      expect(await outcome([leaf, middle], { crls })).toBe('trusted');
  });

  it('out of date, or not of the issuer itself', async () => {
    const stale = pki.crl(middle, [], { days: [-9, -2] });
    expect(await outcome([leaf, middle], { crls: stale })).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
    const impostor = pki.issue({ subject: '/CN=Middle', extensions: CA });
    const forged = pki.crl(impostor, []);
    expect(await outcome([leaf, middle], { crls: forged })).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
    const mute = pki.issue({
      subject: '/CN=Mute',
      extensions: ['basicConstraints=CA:TRUE', 'keyUsage=keyCertSign'],
    });
    const options = { anchors: mute.cert, crls: pki.crl(mute, []) };
    expect(await outcome([issue(forServer, { by: mute })], options)).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
  });

  it('that are none', async () => {
    await expect(evaluate([leaf], { crls: leaf.cert })).rejects.toMatchObject({ code: 'ERR_CERT_MALFORMED' });
    expect(await outcome([leaf, middle], { crls: Uint8Array.of(0x30, 0) })).toBe('ERR_CERT_MALFORMED');
  });
});

it('an anchor that is for another purpose ends no path', async () => {
  const anchor = (extensions: string[]) =>
    pki.issue({ subject: '/CN=Anchor', extensions: [...CA, ...extensions] });
  const result = async (by: KeyPair) => outcome([issue(forServer, { by })], { anchors: by.cert });
  expect(await result(anchor(['extendedKeyUsage=codeSigning,serverAuth']))).toBe('trusted');
  expect(await result(anchor(['extendedKeyUsage=codeSigning']))).toBe('ERR_TLS_CERT_PURPOSE');
});

it('takes an anchor with inhibitAnyPolicy, which is always critical', async () => {
  const anchor = pki.issue({ subject: '/CN=Anchor', extensions: [...CA, 'inhibitAnyPolicy=critical,0'] });
  expect(await outcome([issue(forServer, { by: anchor })], { anchors: anchor.cert })).toBe('trusted');
});

it('takes dates before 1970', async () => {
  const dates: [string, string] = ['19500101000000Z', daysFromNow(9)];
  expect(await outcome([issue(forServer, { dates })])).toBe('trusted');
});

it('says of a server that is its own anchor what is wrong with it, other than its names', async () => {
  const own = pki.issue({
    subject: '/CN=Own',
    extensions: [...forServer, 'certificatePolicies=critical,1.2.3'],
  });
  const { code, message } = await evaluate([own], { anchors: own.cert });
  expect([code, message]).toEqual([
    'ERR_TLS_CERT_UNTRUSTED',
    'CN=Own has a critical extension that is unknown here',
  ]);
});

describe('stapled OCSP responses', () => {
  const responder = (extensions: string[], by = middle) =>
    issue(['basicConstraints=CA:FALSE', ...extensions], { by, subject: '/CN=Responder' });
  const stapled = (ocsp: Uint8Array<ArrayBuffer> | Blob | Response, chain = [leaf, middle]) =>
    outcome(chain, { ocsp });

  it('by the issuer, and by a responder that it appointed', async () => {
    expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'good' }))).toBe('trusted');
    const revoked = pki.ocsp(leaf, { issuer: middle, status: 'revoked' });
    expect(await stapled(revoked)).toBe('ERR_TLS_CERT_REVOKED');
    expect(await stapled(new Response(revoked))).toBe('ERR_TLS_CERT_REVOKED');
    expect(await stapled(new Blob([revoked]))).toBe('ERR_TLS_CERT_REVOKED');
    const signer = responder(['extendedKeyUsage=OCSPSigning']);
    expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'good', signer }))).toBe('trusted');
    const sha256 = pki.ocsp(leaf, { issuer: middle, status: 'good', digest: '-sha256' });
    expect(await stapled(sha256)).toBe('trusted');
  });

  it('that say nothing', async () => {
    const unknown = 'ERR_TLS_CERT_REVOCATION_UNKNOWN';
    expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'unknown' }))).toBe(unknown);
    const serverOnly = responder(['extendedKeyUsage=serverAuth']);
    expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'good', signer: serverOnly }))).toBe(
      unknown,
    );
    const ofOther = responder(['extendedKeyUsage=OCSPSigning'], root);
    expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'good', signer: ofOther }))).toBe(unknown);
    for (const wrong of ['keyUsage=keyEncipherment', '1.2.3.4=critical,ASN1:NULL']) {
      const signer = responder(['extendedKeyUsage=OCSPSigning', wrong]);
      expect(await stapled(pki.ocsp(leaf, { issuer: middle, status: 'good', signer })), wrong).toBe(unknown);
    }
    const sibling = issue(forServer, { by: middle });
    expect(await stapled(pki.ocsp(sibling, { issuer: middle, status: 'good' }))).toBe(unknown);
    expect(await stapled(Uint8Array.of(0x30, 3, 0x0a, 1, 3))).toBe(unknown);
    const good = pki.ocsp(leaf, { issuer: middle, status: 'good' });
    for (const at of [40, 90]) {
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await stapled(changed)).toBe(unknown);
    }
    for (let length = 1; length < good.length; length += 7)
      expect(await stapled(good.slice(0, length))).toBe(unknown);
  });

  it('with more certificates of responders than are looked at', async () => {
    const good = responder(['extendedKeyUsage=OCSPSigning']);
    const extensions = ['extendedKeyUsage=serverAuth'];
    const signer = pki.issue({ by: middle, subject: '/CN=Responder', extensions, keyPem: good.key });
    const behind = (others: number) => {
      const first = Array.from({ length: others }, () => responder(['extendedKeyUsage=OCSPSigning']));
      const file = pki.file('pem', [...first, good].map(it => it.cert).join(''));
      const args = ['-ndays', '2', '-rother', file];
      return stapled(pki.ocsp(leaf, { issuer: middle, status: 'good', signer, args }));
    };
    expect(await behind(4)).toBe('trusted');
    expect(await behind(5)).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
  });

  it('that are out of date', async () => {
    const ocsp = pki.ocsp(leaf, { issuer: middle, status: 'good', args: ['-nmin', '5'] });
    const later = new Date(Date.now() + 3_600_000);
    expect(await outcome([leaf, middle], { ocsp, at: later })).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
    const before = new Date(Date.now() - 3_600_000);
    expect(await outcome([leaf, middle], { ocsp, at: before })).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
  });

  it('are demanded by some certificates', async () => {
    const demanding = issue([...forServer, 'tlsfeature=status_request'], { by: middle });
    const chain = [demanding, middle];
    const result = await evaluate(chain);
    expect(result.code).toBe('ERR_TLS_CERT_REVOCATION_UNKNOWN');
    expect(result.message).toContain('must-staple');
    expect(await stapled(pki.ocsp(demanding, { issuer: middle, status: 'good' }), chain)).toBe('trusted');
  });
});

describe('pins', () => {
  it('of any certificate of the path, in each of the forms', async () => {
    const chain = [leaf, middle];
    for (const { cert } of [leaf, middle, root]) {
      const pin = pinOf(cert);
      for (const form of [pin, `sha256/${pin}`, `pin-sha256="${pin}"`])
        expect(await outcome(chain, { pins: [form] })).toBe('trusted');
    }
    const [certificate] = await parseCertificates(leaf.cert, { engine });
    expect(certificate?.spkiPin).toBe(pinOf(leaf.cert));
    const stranger = pinOf(pki.issue({ subject: '/CN=Stranger' }).cert);
    expect(await outcome(chain, { pins: [stranger] })).toBe('ERR_TLS_PIN');
    expect(await outcome(chain, { pins: [stranger, pinOf(root.cert)] })).toBe('trusted');
    expect(await outcome([leaf, middle], { anchors: [], pins: [pinOf(leaf.cert)] })).toBe(
      'ERR_TLS_CERT_UNTRUSTED',
    );
  });

  it('by host', async () => {
    const stranger = pinOf(pki.issue({ subject: '/CN=Stranger' }).cert);
    const chain = [leaf, middle];
    expect(await outcome(chain, { pins: { [hostname]: [stranger] } })).toBe('ERR_TLS_PIN');
    expect(await outcome(chain, { pins: { 'other.example': [stranger] } })).toBe('trusted');
    expect(await outcome(chain, { port: 443, pins: { [`${hostname}:443`]: [stranger] } })).toBe(
      'ERR_TLS_PIN',
    );
    expect(await outcome(chain, { port: 444, pins: { [`${hostname}:443`]: [stranger] } })).toBe('trusted');
  });

  it('in place of anchors, for the key of the certificate itself alone', async () => {
    const device = pki.issue({ subject: '/CN=Device', dates: [daysFromNow(-9), daysFromNow(-2)] });
    const only = (cert: string) => ({
      anchors: [],
      pins: { [hostname]: { sha256: [pinOf(cert)], replacesAnchors: true as const } },
    });
    expect(await outcome([device], only(device.cert))).toBe('trusted');
    expect(await outcome([leaf, middle], only(device.cert))).toBe('ERR_TLS_PIN');
    expect(await outcome([leaf, middle], only(middle.cert))).toBe('ERR_TLS_PIN');
  });
});
