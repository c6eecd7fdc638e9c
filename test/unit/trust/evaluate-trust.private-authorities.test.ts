import { describe, expect, it } from 'vitest';
import { element, sequence, Tag } from '../../../src/enroll/der.js';
import { evaluateTrust } from '../../../src/index.js';
import { concatenated } from '../../../src/util/bytes.js';
import { EXPIRED } from '../../support/cross-signed.js';
import { engineModule } from '../../support/engine.js';
import {
  AUTHORITY,
  attribute,
  basicConstraints,
  COMMON_NAME,
  commonName,
  dnsNames,
  extension,
  type Forged,
  type ForgedOptions,
  forge,
  forgeRevocationList,
  generalizedTime,
  keyUsage,
  makeKey,
  name,
  ORGANIZATION_NAME,
  StringTag,
} from '../../support/forged-certificates.js';

const engine = engineModule();
const HOST = 'host.example.com';
const SERVER = [basicConstraints(false), dnsNames([HOST])];
const TWENTY_ONE = [1, ...new Array(20).fill(7)];

type Chain = [anchor: Forged, own: Forged, ...others: Forged[]];
type Changes = Partial<ForgedOptions>;

function root(changes: Changes = {}): Forged {
  return forge({ subject: commonName('Root'), extensions: AUTHORITY, ...changes });
}

function below(by: Forged, changes: Changes = {}): Forged {
  return forge({ subject: commonName('Leaf'), by, extensions: SERVER, ...changes });
}

const leaf = (changes: Changes): Chain => {
  const anchor = root();
  return [anchor, below(anchor, changes)];
};
const middle = (changes: Changes): Chain => {
  const anchor = root();
  const authority = forge({ subject: commonName('Middle'), by: anchor, extensions: AUTHORITY, ...changes });
  return [anchor, below(authority), authority];
};
const top = (changes: Changes): Chain => {
  const anchor = root(changes);
  return [anchor, below(anchor)];
};
const serial = (...octets: number[]): Changes => ({ serial: Uint8Array.from(octets) });

async function outcome([anchor, ...chain]: Chain, asked: { isPublic?: boolean } = {}) {
  const anchors = asked.isPublic ? 'mozilla' : anchor.der;
  const { trusted, code, message } = await evaluateTrust(
    chain.map(it => it.der),
    { anchors, mozillaRoots: anchor.der, hostname: HOST, engine },
  );
  return trusted ? 'trusted' : `${code}: ${message}`;
}

/** Accepted by OpenSSL and by most others, and refused of public authorities. */
const LAX: Record<string, Chain> = {
  'a serial number of 0': leaf(serial(0)),
  'a negative serial number': leaf(serial(0x80)),
  'a serial number of 21 octets': leaf(serial(...TWENTY_ONE)),
  'a serial number of 21 octets and a zero': leaf(serial(0, 0x80, ...TWENTY_ONE.slice(1))),
  'an authority with the serial number 0': middle(serial(0)),
  'an authority with a negative serial number': middle(serial(0xff)),
  'an authority with a serial number of 21 octets': middle(serial(...TWENTY_ONE)),
  'no subject, and alternative names that are not critical': leaf({ subject: name() }),
  'an authority without a subject': middle({ subject: name() }),
};

/** The same of whatever authority. */
const TRUSTED: Record<string, Chain> = {
  'no subject, and alternative names that are critical': leaf({
    subject: name(),
    extensions: [dnsNames([HOST], true)],
  }),
  'a root with the serial number 0': top(serial(0)),
  'a root with a negative serial number': top(serial(0x80)),
  'a root without a subject': top({ subject: name() }),
  'a root of version 1': top({ version: 1, extensions: [] }),
  'basicConstraints that are not critical': middle({
    extensions: [basicConstraints(true, { critical: false })],
  }),
  'an authority without keyUsage': middle({ extensions: [basicConstraints(true)] }),
  'a path length in a certificate of no authority': leaf({
    extensions: [basicConstraints(false, { pathLength: 0 }), dnsNames([HOST])],
  }),
  'no extension but the names': leaf({ extensions: [dnsNames([HOST])] }),
  'dates before 2050 as GeneralizedTime': leaf({ validity: [generalizedTime(-1), generalizedTime(30)] }),
  'dates of a root as GeneralizedTime': top({ validity: [generalizedTime(-1), generalizedTime(30)] }),
};

/** Neither OpenSSL nor Go takes them. */
const REFUSED: Record<string, Chain> = {
  'a serial number with a zero too many': leaf(serial(0, 1)),
  'a serial number without octets': leaf(serial()),
  'a root of version 3 without extensions': top({ extensions: [] }),
  'an authority of version 1 below the root': middle({ version: 1, extensions: [] }),
  'a path length below 0': leaf({
    extensions: [
      extension('2.5.29.19', sequence(element(Tag.integer, Uint8Array.of(0xff)))),
      dnsNames([HOST]),
    ],
  }),
};

describe('under the anchors of the page', () => {
  it.each(Object.entries({ ...LAX, ...TRUSTED }))('trusts %s', async (_, chain) => {
    expect(await outcome(chain)).toBe('trusted');
  });

  it.each(Object.entries(REFUSED))('refuses %s', async (_, chain) => {
    expect(await outcome(chain)).toMatch(/^ERR_TLS_CERT_UNTRUSTED: /);
  });

  it('a certificate that is its own anchor may have any serial number', async () => {
    for (const changes of [serial(0), serial(0x80), serial(...TWENTY_ONE)]) {
      const own = forge({ subject: commonName('Device'), extensions: SERVER, ...changes });
      expect(await outcome([own, own])).toBe('trusted');
    }
  });
});

describe("under anchors: 'mozilla'", () => {
  it.each(Object.entries(LAX))('refuses %s', async (_, chain) => {
    expect(await outcome(chain, { isPublic: true })).toMatch(
      /^ERR_TLS_CERT_UNTRUSTED: .*(serial number|subject)/,
    );
  });

  it.each(Object.entries(TRUSTED))('trusts %s', async (_, chain) => {
    expect(await outcome(chain, { isPublic: true })).toBe('trusted');
  });

  it('what a page gives besides counts as given', async () => {
    const [anchor, own] = leaf(serial(0));
    const other = root();
    const asked = { hostname: HOST, engine, mozillaRoots: concatenated([other.der, anchor.der]) };
    expect(await evaluateTrust(own.der, { ...asked, anchors: ['mozilla', anchor.der] })).toMatchObject({
      trusted: true,
    });
    expect(await evaluateTrust(own.der, { ...asked, anchors: ['mozilla', other.der] })).toMatchObject({
      trusted: false,
      code: 'ERR_TLS_CERT_UNTRUSTED',
    });
  });
});

describe('keyUsage of the certificate in question', () => {
  const using = (...bits: number[]): Chain =>
    leaf({ extensions: [basicConstraints(false), keyUsage(...bits), dnsNames([HOST])] });

  it.each([
    ['keyEncipherment alone', using(2)],
    ['keyAgreement alone', using(4)],
    ['nothing', using()],
    ['the uses of an authority', leaf({ extensions: [...AUTHORITY, dnsNames([HOST])] })],
  ])('%s is refused, for servers and for clients', async (_, [anchor, own]) => {
    for (const purpose of ['server', 'client'] as const) {
      const { code, message } = await evaluateTrust(own.der, { anchors: anchor.der, purpose, engine });
      expect({ code, message }).toEqual({
        code: 'ERR_TLS_CERT_PURPOSE',
        message: 'CN=Leaf is not for TLS handshakes (keyUsage without digitalSignature)',
      });
    }
  });

  it('digitalSignature among others is enough, and so is no extension', async () => {
    expect(await outcome(using(0, 2))).toBe('trusted');
    expect(await outcome(leaf({ extensions: [dnsNames([HOST])] }))).toBe('trusted');
  });

  it('is asked of a certificate that is its own anchor, too', async () => {
    const own = forge({ subject: commonName('Device'), extensions: [keyUsage(5), dnsNames([HOST])] });
    expect(await outcome([own, own])).toMatch(/^ERR_TLS_CERT_PURPOSE: .*digitalSignature/);
  });

  it('is not asked where a pin stands for everything else', async () => {
    const [, own] = using(2);
    const digest = await crypto.subtle.digest('SHA-256', own.spki);
    const sha256 = [Buffer.from(digest).toString('base64')];
    expect(
      await evaluateTrust(own.der, {
        pins: { [HOST]: { sha256, replacesAnchors: true } },
        hostname: HOST,
        engine,
      }),
    ).toMatchObject({ trusted: true });
  });
});

describe('an authority with several certificates', () => {
  const [one, other] = [root(), root({ subject: commonName('Root B') })];
  const key = makeKey();
  const by = (anchor: Forged, changes: Changes = {}) =>
    forge({ subject: commonName('Inter'), by: anchor, key, extensions: AUTHORITY, ...changes });

  it('leads to the root that is an anchor', async () => {
    const [first, second] = [by(one), by(other)];
    for (const anchor of [one, other])
      expect(await outcome([anchor, below(first), first, second])).toBe('trusted');
  });

  it('leads there by the one that is valid', async () => {
    const [expired, valid] = [by(one, { validity: EXPIRED }), by(one)];
    expect(await outcome([one, below(valid), expired, valid])).toBe('trusted');
    expect(await outcome([one, below(valid), expired])).toMatch(/^ERR_TLS_CERT_EXPIRED/);
  });

  it('is not the one of the same name with another key', async () => {
    const [stranger, own] = [by(one, { key: makeKey() }), by(one)];
    expect(await outcome([one, below(own), stranger, own])).toBe('trusted');
    expect(await outcome([one, below(own), stranger])).toMatch(/not that of its issuer/);
  });

  it('leads from its new key to the old one', async () => {
    const young = root({ by: one, serial: Uint8Array.of(2) });
    expect(await outcome([one, below(young), young])).toBe('trusted');
  });
});

describe('names that are encoded otherwise', () => {
  const { printable, teletex, bmp } = StringTag;
  const anchor = root({ subject: commonName('Zürich Root', teletex) });
  const authority = (by: Forged, changes: Changes = {}) =>
    forge({ subject: commonName('Field  Sub', printable), by, extensions: AUTHORITY, ...changes });

  it('lead from a certificate to its anchor', async () => {
    const middle = authority(anchor, { issuer: commonName('ZüRICH root', bmp) });
    const own = below(middle, { issuer: commonName('field sub ') });
    expect(await outcome([anchor, own, middle])).toBe('trusted');
    expect(await outcome([anchor, below(middle, { issuer: commonName('fieldsub') }), middle])).toMatch(
      /^ERR_TLS_CERT_UNTRUSTED/,
    );
  });

  it('make a certificate self-issued, which a path length does not count', async () => {
    const short = root({ extensions: [basicConstraints(true, { pathLength: 0 }), keyUsage(5)] });
    const again = authority(short, { subject: commonName('ROOT', bmp) });
    expect(await outcome([short, below(again), again])).toBe('trusted');
    const other = authority(short, { subject: commonName('ROOT 2', bmp) });
    expect(await outcome([short, below(other), other])).toMatch(/path length/);
  });

  it('are within directory names that an authority may certify, and that it may not', async () => {
    const organization = (value: string, tag: number) => attribute(ORGANIZATION_NAME, value, tag);
    const base = element(0xa4, name(organization('Example Org', printable)));
    const own = (...rdns: Parameters<typeof name>) => ({
      subject: name(...rdns, attribute(COMMON_NAME, 'Leaf')),
    });
    const inside = own(organization('EXAMPLE  org ', bmp));
    const outside = own(organization('Example Orga', printable));
    const constrained = (tag: number) =>
      authority(anchor, {
        extensions: [...AUTHORITY, extension('2.5.29.30', sequence(element(tag, sequence(base))), true)],
      });
    const [permitting, excluding] = [constrained(0xa0), constrained(0xa1)];
    expect(await outcome([anchor, below(permitting, inside), permitting])).toBe('trusted');
    expect(await outcome([anchor, below(permitting, outside), permitting])).toMatch(/nameConstraints/);
    expect(await outcome([anchor, below(excluding, outside), excluding])).toBe('trusted');
    expect(await outcome([anchor, below(excluding, inside), excluding])).toMatch(/nameConstraints/);
    const broken = own({ type: ORGANIZATION_NAME, tag: bmp, value: Uint8Array.of(0) });
    expect(await outcome([anchor, below(excluding, broken), excluding])).toMatch(/malformed/);
  });

  it('are those of the issuer of a revocation list, and of its distribution points', async () => {
    const own = below(anchor, { issuer: commonName('zürich ROOT'), serial: Uint8Array.of(77) });
    const issuer = commonName('ZüRICH  Root', bmp);
    const point = (tag: number, value: string) =>
      element(0xa0, element(0xa0, element(0xa4, commonName(value, tag))));
    const scoped = (value: string) => [extension('2.5.29.28', sequence(point(printable, value)), true)];
    const pointing = below(anchor, {
      serial: Uint8Array.of(77),
      extensions: [...SERVER, extension('2.5.29.31', sequence(sequence(point(bmp, 'crl  ONE'))))],
    });
    const ask = async (own: Forged, list: Parameters<typeof forgeRevocationList>[1]) => {
      const crls = forgeRevocationList(anchor, list);
      return (await evaluateTrust(own.der, { anchors: anchor.der, crls, hostname: HOST, engine })).code;
    };
    const revoked = [Uint8Array.of(77)];
    expect(await ask(own, { issuer, revoked })).toBe('ERR_TLS_CERT_REVOKED');
    expect(await ask(own, { issuer, revoked: [] })).toBeUndefined();
    expect(await ask(pointing, { revoked, extensions: scoped('CRL one ') })).toBe('ERR_TLS_CERT_REVOKED');
    expect(await ask(pointing, { revoked, extensions: scoped('CRL two') })).toBeUndefined();
  });

  it('are those that a root names as its own issuer', async () => {
    const naming = (issuer: string, number: number) =>
      root({
        extensions: [
          ...AUTHORITY,
          extension(
            '2.5.29.35',
            sequence(
              element(0xa1, element(0xa4, commonName(issuer, bmp))),
              element(0x82, Uint8Array.of(number)),
            ),
          ),
        ],
      });
    for (const [issuer, number, wanted] of [
      ['ROOT ', 1, /^trusted$/],
      ['Root 2', 1, /authorityKeyIdentifier/],
      ['Root', 2, /authorityKeyIdentifier/],
    ] as const) {
      const top = naming(issuer, number);
      expect(await outcome([top, below(top)])).toMatch(wanted);
    }
  });
});
