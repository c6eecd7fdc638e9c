import { vi } from 'vitest';

/**
 * Notes the private keys that WebCrypto gives from now on and that can be exported, and how many keys it wraps; until
 * `vi.restoreAllMocks`.
 */
export function watchKeys() {
  const seen = { exportable: [] as CryptoKey[], wrapped: 0 };
  for (const name of ['generateKey', 'importKey', 'unwrapKey', 'wrapKey'] as const) {
    const original = crypto.subtle[name].bind(crypto.subtle) as (...args: unknown[]) => Promise<unknown>;
    vi.spyOn(crypto.subtle, name).mockImplementation((async (...args: unknown[]) => {
      const made = await original(...args);
      if (name === 'wrapKey') seen.wrapped++;
      const key = (made as Partial<CryptoKeyPair>).privateKey ?? made;
      if (key instanceof CryptoKey && key.type === 'private' && key.extractable) seen.exportable.push(key);
      return made;
    }) as never);
  }
  return seen;
}
