import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasSealedCopy, reencryptKey } from '../../../src/identity/keys/sealed-key.js';
import { openPkcs12 } from '../../../src/p12/open-pkcs12.js';
import { engineModule } from '../../support/engine.js';
import { watchKeys } from '../../support/exportable-keys.js';
import { type Key, OpensslFiles } from '../../support/openssl-files.js';

let files: OpensslFiles;

beforeAll(() => {
  files = new OpensslFiles();
});
afterAll(() => files.close());
afterEach(() => {
  vi.restoreAllMocks();
});

const kinds: Key[] = ['rsa2048', 'p256', 'p521', 'ed25519'];
const ciphers: [string, string[]][] = [
  ['PBES2', []],
  ['a legacy cipher', ['-legacy']],
  ['AES-192', ['-keypbe', 'aes-192-cbc']],
  ['no encryption', ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac']],
];

describe.each(ciphers)('a file with %s', (_name, args) => {
  it('leaves nothing that could be exported or wrapped, for any kind of key', async () => {
    const seen = watchKeys();
    for (const kind of kinds) {
      const file = files.export(files.client(kind), { args });
      const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
      expect(identities).toHaveLength(1);
      for (const { keys } of identities) {
        expect(hasSealedCopy(keys)).toBe(false);
        for (const key of keys) await expect(crypto.subtle.exportKey('pkcs8', key)).rejects.toThrow();
      }
    }
    expect(seen).toEqual({ exportable: [], wrapped: 0 });
  }, 30_000);

  it('leaves a copy where it is asked for, out of which the key can be wrapped', async () => {
    const wrappingKey = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, [
      'wrapKey',
      'decrypt',
    ]);
    for (const kind of kinds) {
      const file = files.export(files.client(kind), { args });
      const options = { password: 'secret', sealedCopy: true, engine: engineModule() };
      const { identities } = await openPkcs12(file, options);
      const keys = identities[0]?.keys ?? [];
      expect(keys.some(key => key.extractable)).toBe(false);
      const wrapped = await reencryptKey(keys, wrappingKey);
      if (!wrapped) throw new Error('no copy');
      const { iv, pkcs8 } = wrapped;
      const clear = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, wrappingKey, pkcs8);
      const algorithm = keys.at(-1)?.algorithm as EcKeyAlgorithm;
      await crypto.subtle.importKey('pkcs8', clear, algorithm, false, ['sign']);
    }
  }, 30_000);
});

it.each([1, 'yes', null, {}])('takes no %j for sealedCopy', async sealedCopy => {
  const options = { password: 'secret', sealedCopy: sealedCopy as never };
  await expect(openPkcs12(new Uint8Array(10), options)).rejects.toThrow(TypeError);
});
