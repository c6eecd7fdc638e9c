import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Emission } from '../../../src/engine/abi.js';
import { Instance } from '../../../src/engine/instance.js';
import { isKeyFor, schemesForKey } from '../../../src/identity/signatures/signature-schemes.js';
import type { Identity } from '../../../src/identity/types.js';
import { type OpenPkcs12Options, openPkcs12 } from '../../../src/p12/open-pkcs12.js';
import { engineModule } from '../../support/engine.js';
import { type Key, OpensslFiles } from '../../support/openssl-files.js';

let files: OpensslFiles;
beforeAll(() => {
  files = new OpensslFiles();
}, 30_000);
afterAll(() => files.close());

const open = (file: BufferSource | Blob | Response, options: OpenPkcs12Options = {}) =>
  openPkcs12(file, { password: 'secret', engine: engineModule(), ...options });

async function openOne(file: Uint8Array<ArrayBuffer>, password = 'secret'): Promise<Identity> {
  const { identities } = await open(file, { password });
  expect(identities).toHaveLength(1);
  return identities[0] as Identity;
}

/** Every key signs what the certificate's public key verifies, and none can be exported. */
async function expectUsable({ keys, certificate }: Identity): Promise<void> {
  expect(keys.length).toBeGreaterThan(0);
  const spki = new X509Certificate(certificate.der).publicKey.export({ type: 'spki', format: 'der' });
  for (const key of keys) {
    const scheme = schemesForKey(certificate.keyAlgorithm).find(it => isKeyFor(key, it));
    if (!scheme) throw new Error('a key of no scheme');
    const publicKey = await crypto.subtle.importKey(
      'spki',
      new Uint8Array(spki),
      scheme.importAlgorithm,
      true,
      ['verify'],
    );
    const message = new Uint8Array([1, 2, 3]);
    const signature = await crypto.subtle.sign(scheme.signAlgorithm, key, message);
    expect(await crypto.subtle.verify(scheme.signAlgorithm, publicKey, signature, message)).toBe(true);
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('pkcs8', key)).rejects.toThrow();
  }
}

describe('encryption', () => {
  const modern = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc'];
  const legacy = ['PBE-SHA1-3DES', 'PBE-SHA1-2DES', 'PBE-SHA1-RC2-128', 'PBE-SHA1-RC2-40'];
  for (const cipher of [...modern, ...legacy]) {
    for (const key of ['rsa2048', 'p256'] as Key[]) {
      it(`opens ${cipher} with ${key}`, async () => {
        const provider = legacy.includes(cipher) ? ['-legacy'] : [];
        const args = [...provider, '-keypbe', cipher, '-certpbe', cipher];
        const identity = await openOne(files.export(files.client(key), { args }));
        expect(identity.certificate.subject).toBe(`CN=client-${key},O=Engines`);
        expect(identity.keys).toHaveLength(key === 'p256' ? 1 : 6);
        await expectUsable(identity);
      });
    }
  }

  it.each([['-legacy'], ['-certpbe', 'NONE'], ['-keypbe', 'NONE'], ['-keypbe', 'NONE', '-certpbe', 'NONE']])(
    'opens %s %s %s %s',
    async (...args) => {
      await expectUsable(await openOne(files.export(files.client('rsa2048'), { args })));
    },
  );

  it('opens different algorithms in one file', async () => {
    const args = ['-legacy', '-keypbe', 'aes-256-cbc', '-certpbe', 'PBE-SHA1-RC2-40'];
    await expectUsable(await openOne(files.export(files.client('p384'), { args })));
  });
});

describe('keys', () => {
  it.each<[Key, number]>([
    ['rsa1024', 5],
    ['rsa2048', 6],
    ['rsa3072', 6],
    ['p256', 1],
    ['p384', 1],
    ['p521', 1],
    ['ed25519', 1],
  ])(
    'imports %s as %i keys',
    async (key, count) => {
      for (const args of [[], ['-legacy']]) {
        const identity = await openOne(files.export(files.client(key), { args }));
        expect(identity.keys).toHaveLength(count);
        await expectUsable(identity);
      }
    },
    20_000,
  );

  it('names a curve that is spelt out instead of named', async () => {
    const name = files.issue('explicit', { key: 'p256' });
    files.run(['ecparam', '-name', 'prime256v1', '-genkey', '-param_enc', 'explicit', '-out', `${name}.key`]);
    files.run(['req', '-x509', '-new', '-key', `${name}.key`, '-subj', '/CN=e', '-out', `${name}.pem`]);
    await expect(open(files.export(name, { chain: [] }))).rejects.toMatchObject({
      code: 'ERR_P12_UNSUPPORTED',
      message: expect.stringMatching(/ECDSA/),
    });
  });

  it.each(['brainpoolP256t1', 'brainpoolP320r1', 'sect233r1', 'secp224r1'])(
    'names the curve %s, which it cannot use',
    async curve => {
      const name = files.issue(curve, { key: 'p256' });
      files.run(['ecparam', '-name', curve, '-genkey', '-noout', '-out', `${name}.key`]);
      files.run(['req', '-x509', '-new', '-key', `${name}.key`, '-subj', '/CN=e', '-out', `${name}.pem`]);
      await expect(open(files.export(name, { chain: [] }))).rejects.toMatchObject({
        code: 'ERR_P12_UNSUPPORTED',
        message: expect.stringContaining(curve === 'secp224r1' ? 'P-224' : curve),
      });
    },
  );

  it.each<[Key, RegExp]>([
    ['secp256k1', /secp256k1/],
    ['dsa', /DSA/],
  ])(
    'names the key type %s, which it cannot use',
    async (key, message) => {
      for (const args of [[], ['-legacy'], ['-nomac']]) {
        const file = files.export(files.client(key), { args });
        await expect(open(file)).rejects.toMatchObject({
          code: 'ERR_P12_UNSUPPORTED',
          message: expect.stringMatching(message),
        });
      }
    },
    20_000,
  );

  it('matches by public key when localKeyId lies', async () => {
    const [a, b] = [files.client('p256'), files.client('rsa2048')];
    const file = files.export(a, { chain: [b] });
    const identity = await openOne(file);
    expect(identity.certificate.subject).toContain('client-p256');
  });

  it('gives one identity for each certificate of a key', async () => {
    files.issue('renewed', { key: 'p256', existingKey: files.client('p256') });
    const { identities } = await open(files.export(files.client('p256'), { chain: ['renewed'] }));
    expect(identities.map(it => it.certificate.subject)).toEqual([
      'CN=client-p256,O=Engines',
      'CN=renewed,O=Engines',
    ]);
  });
});

describe('MAC', () => {
  it.each(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])('checks %s', async hash => {
    const file = files.export(files.client('p256'), { args: ['-macalg', hash] });
    await openOne(file);
    await expect(open(file, { password: 'wrong' })).rejects.toMatchObject({ code: 'ERR_P12_PASSWORD' });
  });

  it('names a hash that it does not have', async () => {
    const file = files.export(files.client('p256'), { args: ['-macalg', 'sha3-256'] });
    await expect(open(file)).rejects.toMatchObject({ code: 'ERR_P12_UNSUPPORTED' });
  });

  it.each([
    [['-nomac']],
    [['-nomac', '-legacy']],
    [['-nomac', '-certpbe', 'NONE']],
    [['-nomac', '-nocerts']],
  ])('tells a wrong password without a MAC: %s', async args => {
    const file = files.export(files.client('rsa2048'), { args });
    await open(file);
    for (const password of ['wrong', ''])
      await expect(open(file, { password })).rejects.toMatchObject({
        code: 'ERR_P12_PASSWORD',
      });
  });
});

describe('passwords', () => {
  it.each(['', 'ä', 'пароль', '密码', '😀 clef', 'x'.repeat(200)])(
    'takes %j',
    async password => {
      for (const args of [[], ['-legacy'], ['-nomac']]) {
        await openOne(files.export(files.client('p256'), { password, args }), password);
      }
    },
    20_000,
  );

  it('takes no password for an empty one', async () => {
    const file = files.export(files.client('p256'), { password: '', args: ['-legacy'] });
    const { identities } = await openPkcs12(file, { engine: engineModule() });
    expect(identities).toHaveLength(1);
  });
});

describe('content', () => {
  it('puts the chain in order', async () => {
    for (const chain of [
      ['intermediate', 'root'],
      ['root', 'intermediate'],
      ['root', 'root', 'intermediate'],
    ]) {
      const { chain: found, trust } = await openOne(files.export(files.client('p256'), { chain }));
      expect(found.map(it => it.subject)).toEqual(['CN=client-p256,O=Engines', 'CN=Intermediate', 'CN=Root']);
      expect(trust).toMatchObject({ trusted: true });
    }
  });

  it('says when the chain is incomplete or expired', async () => {
    const incomplete = await openOne(files.export(files.client('p256'), { chain: ['intermediate'] }));
    expect(incomplete.trust).toMatchObject({ trusted: false, code: 'ERR_TLS_CERT_UNTRUSTED' });
    files.issue('expired', { key: 'p256', days: -1 });
    const expired = await openOne(files.export('expired'));
    expect(expired.trust).toMatchObject({ trusted: false, code: 'ERR_TLS_CERT_EXPIRED' });
  });

  it('gives label, keyId and the certificates that belong to nobody', async () => {
    files.issue('stranger', { key: 'p384' });
    const file = files.export(files.client('p256'), {
      chain: ['stranger', 'root'],
      args: ['-name', 'Ada'],
    });
    const { identities, certificates } = await open(file);
    expect(identities[0]).toMatchObject({ label: 'Ada', keyId: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect(certificates.map(it => it.subject)).toEqual(['CN=stranger,O=Engines', 'CN=Root']);
  });

  it('leaves what stands behind a name or a certificate', async () => {
    const clear = ['-nomac', '-keypbe', 'NONE', '-certpbe', 'NONE'];
    files.issue('trailing', { key: 'p256', issuer: 'root' });
    const file = Buffer.from(files.export('trailing', { chain: [], args: ['-name', 'Ada!', ...clear] }));
    // The last letter becomes the zero that ends a string in C.
    const name = Buffer.from('\0A\0d\0a\0!', 'latin1');
    for (let at = file.indexOf(name); at >= 0; at = file.indexOf(name, at + 1)) file[at + 7] = 0;
    // The signature, which is last, gets shorter by a byte, and so does the certificate.
    files.run(['x509', '-in', 'trailing.pem', '-outform', 'DER', '-out', 'trailing.der']);
    const der = Buffer.from(files.read('trailing.der'));
    const at = file.indexOf(der);
    file.writeUInt16BE(der.length - 5, at + 2);
    file.writeUInt16BE(256, at + der.length - 259);
    const { label, certificate } = await openOne(new Uint8Array(file));
    expect(label).toBe('Ada');
    expect(certificate.der).toHaveLength(der.length - 1);
  });

  it('describes certificates as Node does', async () => {
    files.issue('described', {
      key: 'rsa2048',
      subject: '/C=DE/O=A, B+CN=Ada/emailAddress=ada@example.com',
      extensions: 'subjectAltName=DNS:a.example,IP:127.0.0.1,IP:::1,email:ada@example.com,URI:spiffe://a/b',
    });
    const { certificate } = await openOne(files.export('described'));
    const expected = new X509Certificate(certificate.der);
    expect(certificate).toMatchObject({
      pem: expected.toString(),
      issuer: 'CN=Intermediate',
      serialNumber: expected.serialNumber.toLowerCase(),
      notBefore: new Date(expected.validFrom),
      notAfter: new Date(expected.validTo),
      fingerprint: expected.fingerprint256.replaceAll(':', '').toLowerCase(),
      keyAlgorithm: 'RSA-2048',
      subjectAltNames: [
        'DNS:a.example',
        'IP:127.0.0.1',
        'IP:::1',
        'email:ada@example.com',
        'URI:spiffe://a/b',
      ],
    });
    expect(certificate.subject).toBe('emailAddress=ada@example.com,CN=Ada+O=A\\, B,C=DE');
  });

  it('resolves with an empty list when there is no identity', async () => {
    const file = files.export(files.client('p256'), { args: ['-nokeys'] });
    const { identities, certificates } = await open(file);
    expect(identities).toEqual([]);
    expect(certificates).toHaveLength(3);
    const keyOnly = await open(files.export(files.client('p256'), { chain: [], args: ['-nocerts'] }));
    expect(keyOnly).toEqual({ identities: [], certificates: [], unsupported: [] });
  });
});

describe('sources', () => {
  it('takes buffers, views, blobs and responses, and ignores trailing bytes', async () => {
    const file = files.export(files.client('p256'));
    const padded = new Uint8Array(file.length + 20);
    padded.set(file, 10);
    const sources = [
      file.buffer,
      padded.subarray(10),
      new DataView(padded.buffer, 10),
      new Blob([file]),
      new Response(file),
    ];
    for (const source of sources) {
      const { identities } = await open(source as BufferSource);
      expect(identities).toHaveLength(1);
    }
  });

  it('refuses misuse with a TypeError', async () => {
    await expect(open('secret.p12' as unknown as Blob)).rejects.toBeInstanceOf(TypeError);
    await expect(open(new Uint8Array(), { password: 5 as unknown as string })).rejects.toBeInstanceOf(
      TypeError,
    );
    await expect(open(new Uint8Array(), { maxIterations: 0 })).rejects.toBeInstanceOf(TypeError);
    const used = new Response('x');
    await used.text();
    await expect(open(used)).rejects.toBeInstanceOf(TypeError);
  });

  it('names a response that is no file, and a file that is too large', async () => {
    const missing = new Response('no such thing', { status: 404 });
    await expect(open(missing)).rejects.toMatchObject({
      code: 'ERR_P12_MALFORMED',
      message: expect.stringMatching(/404/),
    });
    const large = new Uint8Array(10 * 1024 * 1024 + 1);
    for (const source of [large, new Blob([large]), new Response(large)])
      await expect(open(source)).rejects.toMatchObject({
        code: 'ERR_P12_MALFORMED',
        message: expect.stringMatching(/larger/),
      });
  });
});

describe('secrets', () => {
  it.each([[['-legacy']], [[]], [['-keypbe', 'NONE', '-certpbe', 'NONE']]])(
    'are overwritten, also in the memory of the engine: %s',
    async args => {
      const file = files.export(files.client('p256'), { args });
      const create = vi.spyOn(Instance, 'create');
      const calls = vi.spyOn(Instance.prototype, 'call');
      const importKey = vi.spyOn(crypto.subtle, 'importKey');
      await open(file);
      const instance = await create.mock.results[0]?.value;
      expect(instance.memory().every((byte: number) => byte === 0)).toBe(true);
      const emitted = calls.mock.results.flatMap(it => it.value.emitted);
      const secrets = emitted
        .filter(it => [Emission.derivedKey, Emission.decrypted].includes(it.kind))
        .map(it => it.bytes);
      for (const [format, data] of importKey.mock.calls) {
        if (format === 'pkcs8' || format === 'raw') secrets.push(data as Uint8Array);
      }
      vi.restoreAllMocks();
      expect(secrets.length).toBeGreaterThan(0);
      for (const bytes of secrets) expect(bytes.every((byte: number) => byte === 0)).toBe(true);
      // The caller's buffer is the caller's.
      await openOne(file);
    },
  );
});

describe('cost', () => {
  it('refuses a costly file before any work', async () => {
    const file = files.export(files.client('p256'), { args: ['-iter', '1000000', '-macalg', 'sha256'] });
    const start = performance.now();
    await expect(open(file, { maxIterations: 2_999_999 })).rejects.toMatchObject({
      code: 'ERR_P12_TOO_EXPENSIVE',
      message: expect.stringMatching(/2000001|3000000|2002048/),
    });
    expect(performance.now() - start).toBeLessThan(100);
  });
});
