import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Der } from '../../../../src/enroll/der.js';
import { type OpenPkcs12Options, openPkcs12 } from '../../../../src/p12/open-pkcs12.js';
import { engineModule } from '../../../support/engine.js';
import { commonName, forge } from '../../../support/forged-certificates.js';
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
  widened,
} from '../../../support/odd-pkcs12.js';
import { OpensslFiles } from '../../../support/openssl-files.js';

const ITERATIONS = 10;

const open = (file: Uint8Array<ArrayBuffer>, options: OpenPkcs12Options) =>
  openPkcs12(file, { engine: engineModule(), ...options });

async function codeOf(file: Uint8Array<ArrayBuffer>, options: OpenPkcs12Options): Promise<string> {
  try {
    const { identities } = await open(file, options);
    return `${identities.length} identities`;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const utf8 = (text: string) => Buffer.from(text);
const latin1 = (text: string) => Buffer.from(text, 'latin1');

const own = forge({ subject: commonName('Ada') });
const other = forge({ subject: commonName('Bob') });

/** A file whose parts each have their own bytes of a password. */
function file({ mac, key, certificate }: { mac?: Uint8Array; key: Uint8Array; certificate: Uint8Array }) {
  const keys: Der[] = [shroudedKeyBag(pbes2(pkcs8Of(own.privateKey), key, ITERATIONS))];
  const certificates = encrypt([certificateBag(own.der)], it => pbes2(it, certificate, ITERATIONS));
  return oddPkcs12([keys, certificates], { ...(mac && { mac }), iterations: ITERATIONS });
}

describe('a password beyond ASCII', () => {
  let files: OpensslFiles;
  beforeAll(() => {
    files = new OpensslFiles();
  }, 30_000);
  afterAll(() => files.close());

  it.each<[terminal: string, password: string, bytes: Uint8Array]>([
    ['Latin-1', 'Zürich-ñ', latin1('Zürich-ñ')],
    [
      'windows-1252',
      '10 € für „Käse“',
      Uint8Array.of(0x31, 0x30, 32, 0x80, 32, 0x66, 0xfc, 0x72, 32, 0x84, 0x4b, 0xe4, 0x73, 0x65, 0x93),
    ],
    ['ISO 8859-15', '10 €', Uint8Array.of(0x31, 0x30, 32, 0xa4)],
    ['ISO 8859-2', 'hasło', Uint8Array.of(0x68, 0x61, 0x73, 0xb3, 0x6f)],
    ['windows-1251', 'пароль', Uint8Array.of(0xef, 0xe0, 0xf0, 0xee, 0xeb, 0xfc)],
    ['KOI8-R', 'пароль', Uint8Array.of(0xd0, 0xc1, 0xd2, 0xcf, 0xcc, 0xd8)],
  ])(
    'typed into OpenSSL at a terminal of %s: %s',
    async (_, password, bytes) => {
      files.write('password', bytes);
      const client = files.client('p256');
      for (const args of [[], ['-legacy'], ['-nomac'], ['-legacy', '-nomac']]) {
        files.run([
          ...['pkcs12', '-export', '-inkey', `${client}.key`, '-in', `${client}.pem`, '-iter', '10'],
          ...['-passout', 'file:password', '-out', 'terminal.p12', ...args],
        ]);
        expect([args, await codeOf(files.read('terminal.p12'), { password })]).toEqual([
          args,
          '1 identities',
        ]);
        expect(await codeOf(files.read('terminal.p12'), { password: `${password}.` })).toBe(
          'ERR_P12_PASSWORD',
        );
      }
    },
    60_000,
  );

  const low = (text: string) => Uint8Array.from(text, it => it.charCodeAt(0));

  it.each<[name: string, password: string, bytes: Uint8Array]>([
    ['the low bytes of UTF-16, as node-forge takes them', 'пароль 鍵', low('пароль 鍵')],
    ['BMPString with its zeros', 'пароль', bmp('пароль')],
    ['BMPString without its zeros', '🔑', bmp('🔑').slice(0, -2)],
    ['BMPString with its zeros, of ASCII', 'secret', bmp('secret')],
    ['BMPString without its zeros, of ASCII', 'secret', bmp('secret').slice(0, -2)],
    ['UTF-8', 'пароль', utf8('пароль')],
    ['an empty one as two zeros', '', bmp('')],
  ])('read as %s', async (_, password, bytes) => {
    const parts = { key: bytes, certificate: bytes };
    expect(await codeOf(file({ ...parts, mac: bmp(password) }), { password })).toBe('1 identities');
    expect(await codeOf(file({ ...parts, mac: widened(utf8(password)) }), { password })).toBe('1 identities');
    expect(await codeOf(file(parts), { password })).toBe('1 identities');
    expect(await codeOf(file(parts), { password: 'wrong' })).toBe('ERR_P12_PASSWORD');
  });

  it('read in another way at each place', async () => {
    const password = 'Größe €';
    const certificates = encrypt([certificateBag(own.der)], it => tripleDes(it, widened(utf8(password)), 10));
    const keys = [shroudedKeyBag(pbes2(pkcs8Of(own.privateKey), low(password), 10))];
    for (const parts of [
      [keys, certificates],
      [certificates, keys],
    ])
      expect(await codeOf(oddPkcs12(parts, { mac: bmp(password), iterations: 10 }), { password })).toBe(
        '1 identities',
      );
  });
});

describe('the readings of a password', () => {
  const parts = { mac: bmp('secret'), key: bmp('secret'), certificate: bmp('secret') };

  it('count for the budget, and those that worked come first', async () => {
    // The MAC, two parts by UTF-8 at first; one more for the certificates, whose reading the key has as well.
    const options = { password: 'secret', maxIterations: 5 * ITERATIONS };
    expect(await codeOf(file(parts), options)).toBe('1 identities');
    await expect(open(file(parts), { ...options, maxIterations: 3 * ITERATIONS })).rejects.toMatchObject({
      code: 'ERR_P12_KEY_PASSWORD',
      message: expect.stringMatching(/maxIterations/),
    });
    const { mac: _, ...withoutMac } = parts;
    await expect(open(file(withoutMac), { ...options, maxIterations: 2 * ITERATIONS })).rejects.toMatchObject(
      {
        code: 'ERR_P12_PASSWORD',
        message: expect.stringMatching(/maxIterations/),
      },
    );
  });

  it('leave the progress complete', async () => {
    const reports: { completed: number; total: number }[] = [];
    await open(file(parts), { password: 'secret', onProgress: it => void reports.push(it) });
    expect(reports.at(-1)?.completed).toBe(reports.at(-1)?.total);
  });
});

describe('a key with a password of its own', () => {
  const parts = { mac: bmp('secret'), key: utf8('otherpass'), certificate: utf8('secret') };

  it('opens with it', async () => {
    const { identities, unsupported } = await open(file(parts), {
      password: 'secret',
      keyPassword: 'otherpass',
    });
    expect(identities.map(it => it.certificate.subject)).toEqual(['CN=Ada']);
    expect(unsupported).toEqual([]);
  });

  it('is asked for when no identity opens without it', async () => {
    const missing = open(file(parts), { password: 'secret' });
    await expect(missing).rejects.toMatchObject({
      code: 'ERR_P12_KEY_PASSWORD',
      message: expect.stringMatching(/as keyPassword/),
    });
    await expect(missing).rejects.not.toMatchObject({ message: expect.stringMatching(/damaged/) });
    const wrong = open(file(parts), { password: 'secret', keyPassword: 'wrong' });
    await expect(wrong).rejects.toMatchObject({
      code: 'ERR_P12_KEY_PASSWORD',
      message: expect.stringMatching(/Neither .* again/),
    });
    expect(await codeOf(file(parts), { password: 'wrong', keyPassword: 'otherpass' })).toBe(
      'ERR_P12_PASSWORD',
    );
    expect(await codeOf(file(parts), { password: 'wrong' })).toBe('ERR_P12_PASSWORD');
  });

  it.each<[name: string, parts: Parameters<typeof file>[0]]>([
    ['the certificates alone', { ...parts, key: utf8('secret'), certificate: utf8('otherpass') }],
    ['keys and certificates', { ...parts, certificate: utf8('otherpass') }],
    ['a key whose password is read as Latin-1', { ...parts, key: latin1('otherpass') }],
    ['a key in a file without MAC', { key: utf8('otherpass'), certificate: utf8('secret') }],
  ])('may be that of %s', async (_, given) => {
    expect(await codeOf(file(given), { password: 'secret', keyPassword: 'otherpass' })).toBe('1 identities');
    expect(await codeOf(file(given), { password: 'secret' })).toBe('ERR_P12_KEY_PASSWORD');
    expect(await codeOf(file(given), { password: 'wrong', keyPassword: 'worse' })).toBe('ERR_P12_PASSWORD');
  });

  it('is of no importance where it is not needed', async () => {
    const same = { mac: bmp('secret'), key: utf8('secret'), certificate: utf8('secret') };
    for (const keyPassword of ['', 'secret', 'wrong'])
      expect(await codeOf(file(same), { password: 'secret', keyPassword })).toBe('1 identities');
    // One may be taken for the other.
    expect(await codeOf(file(parts), { password: 'otherpass', keyPassword: 'secret' })).toBe('1 identities');
  });

  it('leaves the others', async () => {
    const locked = { name: 'locked', keyId: Uint8Array.of(2) };
    const keys = [
      shroudedKeyBag(pbes2(pkcs8Of(other.privateKey), 'otherpass', 10), locked),
      shroudedKeyBag(pbes2(pkcs8Of(own.privateKey), 'secret', 10), { name: 'open' }),
    ];
    const certificates = [certificateBag(own.der), certificateBag(other.der, locked)];
    for (const mac of [bmp('secret'), undefined]) {
      const bytes = oddPkcs12([keys, certificates], { ...(mac && { mac }), iterations: 10 });
      const { identities, unsupported } = await open(bytes, { password: 'secret' });
      expect(identities.map(it => it.label)).toEqual(['open']);
      expect(unsupported).toEqual([
        { label: 'locked', keyId: '02', error: expect.objectContaining({ code: 'ERR_P12_KEY_PASSWORD' }) },
      ]);
      const both = await open(bytes, { password: 'secret', keyPassword: 'otherpass' });
      expect(both.identities.map(it => it.label)).toEqual(['locked', 'open']);
      expect(both.unsupported).toEqual([]);
    }
  });

  it('leaves the identities of other parts', async () => {
    const part = encrypt([certificateBag(other.der)], it => pbes2(it, 'otherpass', 10));
    const clear = [keyBag(pkcs8Of(own.privateKey)), certificateBag(own.der)];
    const { identities, unsupported } = await open(oddPkcs12([part, clear], { mac: bmp('secret') }), {
      password: 'secret',
    });
    expect(identities).toHaveLength(1);
    expect(unsupported).toEqual([{ error: expect.objectContaining({ code: 'ERR_P12_KEY_PASSWORD' }) }]);
  });

  it('is a text', async () => {
    await expect(open(file(parts), { keyPassword: 5 as never })).rejects.toBeInstanceOf(TypeError);
  });
});
