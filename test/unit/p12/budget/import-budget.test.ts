import { type KeyObject, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Der, element, objectIdentifier, sequence, Tag, text } from '../../../../src/enroll/der.js';
import { inspectPkcs12, type OpenPkcs12Options, openPkcs12 } from '../../../../src/p12/open-pkcs12.js';
import { engineModule } from '../../../support/engine.js';
import { commonName, forge, makeKey } from '../../../support/forged-certificates.js';
import {
  bmp,
  certificateBag,
  encrypt,
  keyBag,
  oddPkcs12,
  pbes2,
  pkcs8Of,
  shroudedKeyBag,
  tripleDes,
} from '../../../support/odd-pkcs12.js';

// Work is counted, not timed.

afterEach(() => vi.restoreAllMocks());

const open = (file: Uint8Array<ArrayBuffer>, options: OpenPkcs12Options = {}) =>
  openPkcs12(file, { engine: engineModule(), ...options });

/** As many certificates of two names, each issued by the other name. */
function circle(count: number, keyOf: (index: number) => KeyObject, signer: KeyObject): Uint8Array[] {
  const names = ['Tweedledum', 'Tweedledee'].map(it => commonName(it)) as [Der, Der];
  const authority = forge({ subject: names[0], key: signer });
  return Array.from({ length: count }, (_, i) => {
    const [subject, issuer] = i % 2 ? names : [names[1], names[0]];
    return forge({ subject, key: keyOf(i), by: { ...authority, subject: issuer } }).der;
  });
}

const file = (certificates: readonly Uint8Array[], keys: readonly KeyObject[]) =>
  oddPkcs12([keys.map(it => keyBag(pkcs8Of(it))), certificates.map(it => certificateBag(it))]);

async function verificationsOf(bytes: Uint8Array<ArrayBuffer>, options?: OpenPkcs12Options) {
  const verify = vi.spyOn(crypto.subtle, 'verify');
  const importKey = vi.spyOn(crypto.subtle, 'importKey');
  const { identities } = await open(bytes, options);
  const counts = { verify: verify.mock.calls.length, imports: importKey.mock.calls.length };
  vi.restoreAllMocks();
  return { ...counts, identities: identities.length };
}

describe('certificates that name each other', () => {
  it('cost as many signatures as there are, when one key has signed them all', async () => {
    const key = makeKey();
    const of = (count: number) =>
      verificationsOf(
        file(
          circle(count, () => key, key),
          [key],
        ),
      );
    const [some, twice] = [await of(40), await of(80)];
    expect([some.identities, twice.identities]).toEqual([40, 80]);
    expect(twice.verify).toBeLessThanOrEqual(2 * some.verify + 2);
    expect(twice.imports).toBeLessThanOrEqual(2 * some.imports + 4);
  }, 60_000);

  it('fail when they ask for more signatures than the limit', async () => {
    const [own, stranger] = [makeKey(), makeKey()];
    const bytes = file(
      circle(120, i => (i ? makeKey() : own), stranger),
      [own],
    );
    const verify = vi.spyOn(crypto.subtle, 'verify');
    await expect(open(bytes, { limits: { maxSignatures: 50 } })).rejects.toMatchObject({
      code: 'ERR_P12_TOO_EXPENSIVE',
      message: expect.stringMatching(/50 signatures/),
    });
    expect(verify).toHaveBeenCalledTimes(50);
    // One identity looks for one issuer.
    const { identities } = await open(bytes);
    expect(identities.map(it => it.chain.length)).toEqual([1]);
  }, 60_000);

  it('end with a signal that a timer sets', async () => {
    const keys = Array.from({ length: 60 }, makeKey);
    const certificates = circle(300, i => keys[i % 60] as KeyObject, makeKey());
    const abort = new AbortController();
    const reason = new Error('enough');
    const original = crypto.subtle.verify.bind(crypto.subtle);
    let verified = 0;
    vi.spyOn(crypto.subtle, 'verify').mockImplementation((...args) => {
      if (++verified === 100) setTimeout(() => abort.abort(reason), 0);
      return original(...(args as Parameters<typeof original>));
    });
    await expect(open(file(certificates, keys), { signal: abort.signal })).rejects.toBe(reason);
    expect(verified).toBeLessThan(300);
  }, 60_000);
});

describe('many keys', () => {
  const by = forge({ subject: commonName('CA') });
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const key = makeKey();
      return { key, certificate: forge({ subject: commonName(`c${i}`), by, key }).der };
    });

  it('are found by their public keys', async () => {
    const of = (count: number) => {
      const some = pairs(count);
      return verificationsOf(
        file(
          some.map(it => it.certificate).reverse(),
          some.map(it => it.key),
        ),
      );
    };
    expect(await of(20)).toMatchObject({ identities: 20, verify: 20 });
    expect(await of(40)).toMatchObject({ identities: 40, verify: 40 });
  }, 60_000);

  it('that stay encrypted are found by localKeyId, else by trying those that are left', async () => {
    const shrouded = (count: number, withKeyId: boolean) => {
      const some = pairs(count);
      const keyId = (i: number) => (withKeyId ? { keyId: Uint8Array.of(i) } : {});
      const keys = some.map(({ key }, i) => shroudedKeyBag(pbes2(pkcs8Of(key), 'secret', 1), keyId(i)));
      const certificates = some.map(({ certificate }, i) => certificateBag(certificate, keyId(i)));
      return oddPkcs12([keys, certificates.reverse()]);
    };
    const options = { password: 'secret' };
    expect(await verificationsOf(shrouded(20, true), options)).toMatchObject({ identities: 20, verify: 20 });
    const found = await verificationsOf(shrouded(20, false), options);
    expect(found.identities).toBe(20);
    expect(found.verify).toBeLessThanOrEqual((20 * 21) / 2);
    await expect(
      open(shrouded(20, false), { ...options, limits: { maxSignatures: 100 } }),
    ).rejects.toMatchObject({ code: 'ERR_P12_TOO_EXPENSIVE' });
  }, 60_000);
});

describe('one part', () => {
  const key = makeKey();
  const own = forge({ subject: commonName('own'), key });
  const good = [keyBag(pkcs8Of(key)), certificateBag(own.der)];
  /** Of a type without meaning. */
  const bag = (...attributes: Der[]) =>
    sequence(objectIdentifier('1.2.3'), element(0xa0, sequence()), element(Tag.set, ...attributes));
  const OPENED = { identities: [{ certificate: { subject: 'CN=own' } }] };

  // Each would take seconds to minutes, were it parsed as it is.
  it.each<[what: string, bags: Der[]]>([
    ['with a name of zeros', [certificateBag(own.der, { name: `${'\0'.repeat(200_000)}x` })]],
    ['with a name of many zeros', [certificateBag(own.der, { name: `${'\0'.repeat(2_000)}x\0\0` })]],
    [
      'with an object identifier of 4 MB',
      [sequence(element(Tag.objectIdentifier, new Uint8Array(4_000_000)))],
    ],
    [
      'with 5,000 attributes',
      [bag(...Array.from({ length: 5_000 }, () => sequence(objectIdentifier('1.2'))))],
    ],
    [
      'with an object identifier of 4 MB in disguise',
      [
        keyBag(sequence(element(0x26, element(Tag.octetString, new Uint8Array(4_000_000).fill(0x81))))),
        certificateBag(own.der, { name: 'x'.repeat(2_000_000) }),
      ],
    ],
    [
      'with an end of contents that is long',
      [keyBag(element(0xa0, element(0, new Uint8Array(100_000)), sequence()))],
    ],
    ['with attributes that are none', [bag(element(Tag.null), sequence(), sequence(element(Tag.set)))]],
  ])('%s costs itself alone', async (_, bags) => {
    expect(await open(oddPkcs12([good, bags]))).toMatchObject(OPENED);
  });

  it.each<[what: string, content: Der, message: RegExp]>([
    [
      'of too many elements',
      element(0x24, ...repeated(60_000, element(Tag.octetString))),
      /too many elements/,
    ],
    ['that is nested too deeply', nested(60, sequence()), /nested too deeply/],
    [
      'of indefinite lengths without an end',
      Uint8Array.from(repeated(50_000, [0x24, 0x80]).flat()),
      /nested/,
    ],
  ])('%s is refused', async (_, content, message) => {
    const data = objectIdentifier('1.2.840.113549.1.7.1');
    const version = element(Tag.integer, Uint8Array.of(3));
    const file = sequence(version, sequence(data, element(0xa0, content)));
    await expect(open(file)).rejects.toMatchObject({
      code: 'ERR_P12_MALFORMED',
      message: expect.stringMatching(message),
    });
  });

  it('with a certificate that is too large leaves the others', async () => {
    const large = forge({ subject: sequence(...repeated(3_000, rdn('x'.repeat(40)))), key }).der;
    expect(large.length).toBeGreaterThan(131_072);
    const { identities, unsupported } = await open(oddPkcs12([[...good, certificateBag(large)]]));
    expect(identities.map(it => it.certificate.subject)).toEqual(['CN=own']);
    expect(unsupported).toMatchObject([{ error: { code: 'ERR_P12_MALFORMED', message: /too large/ } }]);
    const limits = { maxCertificateBytes: 1_000_000 };
    expect((await open(oddPkcs12([[...good, certificateBag(large)]]), { limits })).identities).toHaveLength(
      2,
    );
  });

  it('by an older cipher is decrypted in slices', async () => {
    for (const length of [30_000, 32_768, 65_536, 200_003]) {
      const filling = sequence(
        objectIdentifier('1.2.3'),
        element(0xa0, element(Tag.octetString, randomBytes(length))),
      );
      const by = (password: string) => (it: Uint8Array) => tripleDes(it, bmp(password), 1);
      expect(await open(oddPkcs12([encrypt([filling, ...good], by(''))]))).toMatchObject(OPENED);
      const locked = open(oddPkcs12([good, encrypt([filling], by('other'))]));
      await expect(locked).resolves.toMatchObject({
        unsupported: [{ error: { code: 'ERR_P12_KEY_PASSWORD' } }],
      });
    }
  });

  it('of many is one too many', async () => {
    const file = (parts: number) => oddPkcs12([good, ...repeated(parts - 1, [] as Der[])]);
    expect(await open(file(1_000))).toMatchObject(OPENED);
    for (const act of [open, inspectPkcs12])
      await expect(act(file(1_001))).rejects.toMatchObject({
        code: 'ERR_P12_MALFORMED',
        message: expect.stringMatching(/1000 parts/),
      });
    const limits = { maxParts: 2_000 };
    expect(await open(file(1_001), { limits })).toMatchObject(OPENED);
  });
});

function repeated<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

function nested(depth: number, inside: Der): Der {
  return depth === 0 ? inside : element(0x24, nested(depth - 1, inside));
}

function rdn(value: string): Der {
  return element(Tag.set, sequence(objectIdentifier('2.5.4.11'), text(Tag.utf8String, value)));
}
