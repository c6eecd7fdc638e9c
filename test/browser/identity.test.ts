import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { createServer, type Plugin, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { type Key, OpensslFiles } from '../support/openssl-files.js';

// What differs between WebCrypto in Node and in browsers: unwrapKey, AES-192, PSS, keys in IndexedDB.

const PAGE = `<!doctype html><title>identities</title><link rel="icon" href="data:,"><script type="module">
  import { openPkcs12 } from '/src/p12/open-pkcs12.ts';
  import { IdentityStore } from '/src/store/identity-store.ts';
  import { credentialOf } from '/src/identity/signatures/signing.ts';
  globalThis.tested = { openPkcs12, IdentityStore, credentialOf };
</script>`;

declare global {
  var tested: {
    openPkcs12: typeof import('../../src/p12/open-pkcs12.js').openPkcs12;
    IdentityStore: typeof import('../../src/store/identity-store.js').IdentityStore;
    credentialOf: typeof import('../../src/identity/signatures/signing.js').credentialOf;
  };
}

const servedPage: Plugin = {
  name: 'served-page',
  configureServer: ({ middlewares }) => {
    middlewares.use((request, response, next) => {
      if (request.url === '/') response.setHeader('Content-Type', 'text/html').end(PAGE);
      else next();
    });
  },
};

let files: OpensslFiles;
let server: ViteDevServer;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  files = new OpensslFiles();
  server = await createServer({
    configFile: false,
    root: new URL('../..', import.meta.url).pathname,
    cacheDir: join(tmpdir(), `mtls-vite-${process.pid}`),
    appType: 'custom',
    logLevel: 'error',
    optimizeDeps: { entries: [], include: ['pkijs', 'asn1js', 'idb'] },
    server: { port: 0, host: '127.0.0.1', hmr: false },
    plugins: [servedPage],
  });
  await server.listen();
  browser = await launchChromium();
  page = await browser.newPage();
  const wasm = process.env.BROWSER_MTLS_WASM;
  if (wasm)
    await page.route('**/*.wasm*', route =>
      route.fulfill({ body: readFileSync(wasm), contentType: 'application/wasm' }),
    );
  await visit();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await server?.close();
  files?.close();
});

async function visit(): Promise<void> {
  const address = server.httpServer?.address() as AddressInfo | undefined;
  await page.goto(`http://127.0.0.1:${address?.port}/`);
  await page.waitForFunction(() => 'tested' in globalThis);
}

/** Imports a file and stores it; every key signs, none can be exported. */
async function importInPage(file: Uint8Array, password = 'secret') {
  return page.evaluate(
    async ({ bytes, password }) => {
      const { openPkcs12, IdentityStore } = tested;
      const store = await IdentityStore.open();
      try {
        const { identities } = await openPkcs12(Uint8Array.from(bytes), { password });
        for (const identity of identities) await store.add(identity, { hosts: ['localhost'] });
        return {
          count: identities.length,
          trusted: identities.every(it => it.trust.trusted),
        };
      } catch (error) {
        return { code: (error as { code?: string }).code ?? String(error) };
      } finally {
        store.close();
      }
    },
    { bytes: [...file], password },
  );
}

/** After a reload: signs with every key of every stored identity, and deletes them. */
async function useStored() {
  await visit();
  return page.evaluate(async () => {
    const { IdentityStore, credentialOf } = tested;
    const store = await IdentityStore.open();
    const used = [];
    for (const identity of await store.find({ host: 'localhost' })) {
      const { schemes, sign } = credentialOf(identity, 'TLSv1.2');
      for (const scheme of schemes) await sign(scheme, new Uint8Array(100));
      const exports = identity.keys.map(key => crypto.subtle.exportKey('pkcs8', key));
      const exported = await Promise.allSettled(exports);
      used.push({
        schemes: schemes.length,
        exported: exported.filter(it => it.status === 'fulfilled').length,
      });
      await store.delete({ id: identity.id });
    }
    store.close();
    return used;
  });
}

/** With their number of schemes in TLS 1.2, where a curve goes with every hash. */
const kinds: [Key, schemes: number][] = [
  ['rsa1024', 5],
  ['rsa2048', 6],
  ['rsa3072', 6],
  ['p256', 3],
  ['p384', 3],
  ['p521', 3],
  ['ed25519', 1],
];
const ciphers = [
  [],
  ['-legacy'],
  ['-keypbe', 'aes-192-cbc', '-certpbe', 'aes-128-cbc'],
  ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'],
];

for (const [key, schemes] of kinds) {
  it(`keeps and uses ${key} from every kind of file`, async () => {
    for (const args of ciphers) {
      const file = files.export(files.client(key), { args });
      expect(await importInPage(file), args.join(' ')).toEqual({ count: 1, trusted: true });
      expect(await useStored(), args.join(' ')).toEqual([{ schemes, exported: 0 }]);
    }
  }, 60_000);
}

it('tells what is wrong', async () => {
  const file = files.export(files.client('rsa2048'));
  const code = async (bytes: Uint8Array, password?: string) => (await importInPage(bytes, password)).code;
  expect(await code(file, 'wrong')).toBe('ERR_P12_PASSWORD');
  expect(await code(file, '')).toBe('ERR_P12_PASSWORD');
  for (const args of [['-nomac'], ['-nomac', '-legacy'], ['-nomac', '-certpbe', 'NONE']])
    expect(await code(files.export(files.client('p256'), { args }), 'wrong')).toBe('ERR_P12_PASSWORD');
  expect(await code(file.subarray(0, file.length / 2))).toBe('ERR_P12_MALFORMED');
  expect(await code(files.export(files.client('secp256k1')))).toBe('ERR_P12_UNSUPPORTED');
  expect(await code(files.export(files.client('p256'), { args: ['-iter', '3000000'] }))).toBe(
    'ERR_P12_TOO_EXPENSIVE',
  );
}, 60_000);

it('takes an empty password', async () => {
  for (const args of [[], ['-legacy'], ['-nomac']]) {
    expect(await importInPage(files.export(files.client('p256'), { password: '', args }), '')).toEqual({
      count: 1,
      trusted: true,
    });
    await useStored();
  }
}, 60_000);

it('lets the page animate while a costly file is imported', async () => {
  const file = files.export(files.client('rsa2048'), { args: ['-iter', '600000', '-macalg', 'sha512'] });
  const result = await page.evaluate(
    async bytes => {
      const { openPkcs12 } = tested;
      let frames = 0;
      let longestMs = 0;
      let last = performance.now();
      let running = true;
      const frame = () => {
        frames++;
        longestMs = Math.max(longestMs, performance.now() - last);
        last = performance.now();
        if (running) requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      const start = performance.now();
      await openPkcs12(Uint8Array.from(bytes), { password: 'secret' });
      running = false;
      return { frames, longestMs, tookMs: performance.now() - start };
    },
    [...file],
  );
  expect(result.frames).toBeGreaterThan(result.tookMs / 100);
  expect(result.longestMs).toBeLessThan(250);
}, 60_000);
