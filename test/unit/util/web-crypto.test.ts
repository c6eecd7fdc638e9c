import { afterEach, expect, it, vi } from 'vitest';
import { createClient, createIdentity, openPkcs12 } from '../../../src/index.js';

afterEach(() => vi.unstubAllGlobals());

it.each<[string, () => Promise<unknown>]>([
  [
    'createClient',
    () => createClient({ tunnel: 'ws://127.0.0.1:1/', tunnelOptions: { connectAt: 'first-use' } }),
  ],
  ['openPkcs12', () => openPkcs12(new Uint8Array(8))],
  ['createIdentity', () => createIdentity({ subject: 'CN=Ada' })],
])('%s says that a page without WebCrypto is not a secure context', async (_, call) => {
  vi.stubGlobal('crypto', { getRandomValues: () => {} });
  vi.stubGlobal('location', new URL('http://192.168.1.5:5173/app'));
  await expect(call()).rejects.toMatchObject({
    code: 'ERR_INSECURE_CONTEXT',
    message: expect.stringMatching(/http:\/\/192\.168\.1\.5:5173, is not a secure context.* over https:/),
  });
});
