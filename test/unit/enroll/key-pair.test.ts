import 'fake-indexeddb/auto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createIdentity, IdentityStore, type KeyAlgorithmName } from '../../../src/index.js';
import { passphraseVerification } from '../../../src/store/verification/passphrase-verification.js';
import { engineModule } from '../../support/engine.js';
import { watchKeys } from '../../support/exportable-keys.js';

const engine = engineModule();
const ada = { subject: 'CN=Ada', engine };

afterEach(() => {
  vi.restoreAllMocks();
});

async function openStore(ask: () => string): Promise<IdentityStore> {
  return IdentityStore.open({
    name: crypto.randomUUID(),
    verification: passphraseVerification({ ask }),
  });
}

describe('the private key', () => {
  it.each<[KeyAlgorithmName, number]>([
    ['ECDSA P-256', 0],
    ['ECDSA P-384', 0],
    ['ECDSA P-521', 0],
    ['Ed25519', 0],
    // One that becomes six.
    ['RSA-2048', 1],
  ])('of %s can be exported %i times on its way', async (algorithm, times) => {
    const { exportable } = watchKeys();
    const store = await openStore(() => 'sesame');
    for (const options of [ada, { ...ada, store }]) {
      exportable.length = 0;
      await createIdentity({ ...options, algorithm });
      expect(exportable).toHaveLength(times);
    }
    store.close();
  });

  it.each<KeyAlgorithmName>(['ECDSA P-256', 'RSA-2048', 'Ed25519'])(
    'of %s is not there yet while the person is asked',
    async algorithm => {
      const { exportable } = watchKeys();
      let before: number | undefined;
      const store = await openStore(() => {
        before = exportable.length;
        return 'sesame';
      });
      await createIdentity({ ...ada, algorithm, store, controls: { userVerification: 'required' } });
      expect([before, exportable.length]).toEqual([0, 1]);
      store.close();
    },
  );
});

describe('the person is not asked in vain', () => {
  const controls = { userVerification: 'required' } as const;

  it('for keys that this WebCrypto does not make', async () => {
    const ask = vi.fn(() => 'sesame');
    const store = await openStore(ask);
    const original = crypto.subtle.generateKey.bind(crypto.subtle) as (...args: unknown[]) => unknown;
    vi.spyOn(crypto.subtle, 'generateKey').mockImplementation((async (...args: unknown[]) => {
      if ((args[0] as { name?: string }).name === 'Ed25519')
        throw new DOMException('not here', 'NotSupportedError');
      return original(...args);
    }) as never);
    await expect(createIdentity({ ...ada, algorithm: 'Ed25519', store, controls })).rejects.toMatchObject({
      code: 'ERR_ENROLL_UNSUPPORTED',
    });
    expect(ask).not.toHaveBeenCalled();
    store.close();
  });

  it.each<[string, object]>([
    ['an algorithm that is none', { algorithm: 'DSA' }],
    ['a name that is none', { subjectAltNames: ['IP:nowhere'] }],
  ])('for %s', async (_what, wrong) => {
    const ask = vi.fn(() => 'sesame');
    const store = await openStore(ask);
    await expect(createIdentity({ ...ada, ...wrong, store, controls })).rejects.toThrow(TypeError);
    expect(ask).not.toHaveBeenCalled();
    store.close();
  });
});
