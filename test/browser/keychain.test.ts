import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { IdentityControls } from '../../src/index.js';
import { addAuthenticator, launchChromium, launchOptions } from '../support/chromium.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { type KeyPair, OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

type Store = Awaited<ReturnType<typeof library.IdentityStore.open>>;

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const ada = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
const fileOf = (pair: KeyPair) => Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
const adaFile = fileOf(ada);

let browser: Browser;
let pages: UserPages;
/** By name: WebAuthn knows no relying party that is an address. */
let origin: string;
let node: NodeServer;
let relay: Relay;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  browser = await launchChromium();
  pages = await startUserPages();
  origin = pages.origin.replace('127.0.0.1', 'localhost');
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${node.port}`], origins: [origin] });
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await node?.stop();
  await pages?.stop();
  pki.close();
});

beforeEach(async () => {
  context = await browser.newContext();
  page = await open(context);
});
afterEach(() => context.close());

async function open(where: BrowserContext): Promise<Page> {
  const opened = await where.newPage();
  await opened.goto(origin);
  await opened.waitForFunction(() => document.title === 'ready');
  return opened;
}

/** Imports Ada's file; gives the identity's id, or the code of the error. */
function add(where: Page, controls: IdentityControls & { expiresInMs?: number } = {}): Promise<string> {
  return where.evaluate(
    async ([content, { expiresInMs, ...rest }]) => {
      const { IdentityStore, openPkcs12 } = library;
      const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
      const { identities } = await openPkcs12(bytes, { password: 'secret', sealedCopy: true });
      const store = await IdentityStore.open();
      const expiry = expiresInMs === undefined ? {} : { expiresAt: new Date(Date.now() + expiresInMs) };
      try {
        const [identity] = identities;
        if (!identity) throw new Error('no identity');
        return (await store.add(identity, { hosts: ['localhost'], ...rest, ...expiry })).id;
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      } finally {
        store.close();
      }
    },
    [adaFile, controls] as const,
  );
}

function count(where: Page): Promise<number> {
  return where.evaluate(async () => {
    const store = await library.IdentityStore.open();
    const found = await store.find();
    store.close();
    return found.length;
  });
}

/** Makes a client that stays, in `globalThis.client`, with its store in `globalThis.store`. */
async function makeClient(where: Page, unlockedForMs = 300_000): Promise<void> {
  await where.evaluate(
    async ([relayUrl, anchor, forMs]) => {
      const store = await library.IdentityStore.open({ unlockedForMs: forMs });
      const client = await library.createClient({
        tunnel: relayUrl,
        identities: store,
        trust: { anchors: [anchor] },
      });
      Object.assign(globalThis, { store, client });
    },
    [relay.url, pki.ca.cert, unlockedForMs] as const,
  );
}

/** Status, or the code of the error, of a request by that client. */
function request(where: Page): Promise<string> {
  return where.evaluate(async port => {
    const { client } = globalThis as unknown as { client: Awaited<ReturnType<typeof library.createClient>> };
    try {
      const response = await client.fetch(`https://localhost:${port}/`);
      await response.text();
      return String(response.status);
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }, node.port);
}

describe('a session', () => {
  it('outlives a reload, and lasts while any tab is there', async () => {
    await add(page, { persistence: 'session' });
    await page.reload();
    await page.waitForFunction(() => document.title === 'ready');
    // As a page does that keeps its store open.
    await page.evaluate(async () => Object.assign(globalThis, { store: await library.IdentityStore.open() }));
    const second = await open(context);
    expect(await count(second)).toBe(1);
    await second.evaluate(async () =>
      Object.assign(globalThis, { store: await library.IdentityStore.open() }),
    );
    await page.close();
    const third = await open(context);
    expect(await count(third)).toBe(1);
  });

  it('ends with the last tab', async () => {
    await add(page, { persistence: 'session' });
    await page.close();
    expect(await count(await open(context))).toBe(0);
  });
});

describe('controls hold on a connection that is open', () => {
  it('expiresAt', async () => {
    await add(page, { expiresInMs: 1_500 });
    await makeClient(page);
    expect(await request(page)).toBe('200');
    await page.waitForTimeout(1_600);
    expect(await request(page)).toBe('ERR_IDENTITY_EXPIRED');
  });

  it('idleTimeoutMs, which each request puts back', async () => {
    const id = await add(page, { idleTimeoutMs: 1_500 });
    await makeClient(page);
    for (let i = 0; i < 4; i++) {
      expect(await request(page)).toBe('200');
      await page.waitForTimeout(700);
    }
    await page.waitForTimeout(1_000);
    expect(await request(page)).toBe('ERR_IDENTITY_LOCKED');
    await page.evaluate(async which => {
      const { store } = globalThis as unknown as { store: Store };
      await store.unlock(which);
    }, id);
    expect(await request(page)).toBe('200');
  });

  it('deletion and other hosts, from another tab, which are told of', async () => {
    const id = await add(page);
    await makeClient(page);
    expect(await request(page)).toBe('200');
    await page.evaluate(() => {
      const { store } = globalThis as unknown as { store: Store };
      const seen: string[] = [];
      store.observe(change => seen.push(change.type));
      Object.assign(globalThis, { seen });
    });
    const other = await open(context);
    await other.evaluate(async which => {
      const store = await library.IdentityStore.open();
      await store.update(which, { hosts: ['elsewhere.example'] });
    }, id);
    await page.waitForFunction(() => (globalThis as unknown as { seen: string[] }).seen.length === 1);
    expect(await request(page)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    await other.evaluate(async which => {
      const store = await library.IdentityStore.open();
      await store.delete({ id: which });
    }, id);
    await page.waitForFunction(() => (globalThis as unknown as { seen: string[] }).seen.length === 2);
    expect(await page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen)).toEqual([
      'updated',
      'deleted',
    ]);
  });

  it('an import, in another tab', async () => {
    await makeClient(page);
    expect(await request(page)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    const other = await open(context);
    await add(other);
    await expect.poll(() => request(page)).toBe('200');
  });
});

describe('user verification by an authenticator', () => {
  it('asks once for all requests, again after a while, and not at all for one that is locked away', async () => {
    const { refuse, timesAsked } = await addAuthenticator(page, { hasPrf: true });
    const id = await add(page, { userVerification: 'required' });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await makeClient(page, 2_000);
    const before = timesAsked();
    expect(await Promise.all(Array.from({ length: 5 }, () => request(page)))).toEqual(Array(5).fill('200'));
    expect(timesAsked() - before).toBe(1);
    await page.waitForTimeout(2_200);
    expect(await request(page)).toBe('200');
    expect(timesAsked() - before).toBe(2);
    await page.evaluate(async which => {
      const { store } = globalThis as unknown as { store: Store };
      await store.lock(which);
    }, id);
    await refuse();
    expect(await request(page)).toBe('ERR_VERIFICATION_FAILED');
  });

  it('says so when the authenticator has no PRF, and stores nothing', async () => {
    await addAuthenticator(page, { hasPrf: false });
    expect(await add(page, { userVerification: 'required' })).toBe('ERR_VERIFICATION_UNAVAILABLE');
    expect(await count(page)).toBe(0);
  });

  it('gives the key in clear to a script that asks the authenticator by itself, as docs/security.md tells', async () => {
    await addAuthenticator(page, { hasPrf: true });
    const id = await add(page, { userVerification: 'required' });
    const clear = await page.evaluate(async which => {
      const asked = indexedDB.open('browser-mtls');
      const database = await new Promise<IDBDatabase>(resolve => {
        asked.onsuccess = () => resolve(asked.result);
      });
      const reading = database.transaction('identities').objectStore('identities').get(which);
      const { wrapped } = await new Promise<{
        wrapped: {
          pkcs8: ArrayBuffer;
          iv: Uint8Array<ArrayBuffer>;
          parameters: { credentialId: Uint8Array<ArrayBuffer>; salt: Uint8Array<ArrayBuffer> };
        };
      }>(resolve => {
        reading.onsuccess = () => resolve(reading.result);
      });
      const { credentialId, salt } = wrapped.parameters;
      const credential = (await navigator.credentials.get({
        publicKey: {
          challenge: new Uint8Array(32),
          allowCredentials: [{ type: 'public-key', id: credentialId }],
          userVerification: 'required',
          extensions: { prf: { eval: { first: salt } } },
        },
      })) as PublicKeyCredential;
      const secret = credential.getClientExtensionResults().prf?.results?.first as ArrayBuffer;
      const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
      const info = new TextEncoder().encode('browser-mtls key wrapping');
      const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
      const key = await crypto.subtle.deriveKey(derivation, base, { name: 'AES-GCM', length: 256 }, false, [
        'decrypt',
      ]);
      const bytes = await crypto.subtle.decrypt({ name: 'AES-GCM', iv: wrapped.iv }, key, wrapped.pkcs8);
      return Array.from(new Uint8Array(bytes));
    }, id);
    expect(includesSecret(Buffer.from(clear), secretOf(ada))).toBe(true);
  });

  it('keeps no key in IndexedDB but a wrapped one', async () => {
    await addAuthenticator(page, { hasPrf: true });
    await add(page, { userVerification: 'required' });
    const found = await walkDatabase(page);
    expect(found.keys).toEqual([]);
    expect(found.bytes.some(it => includesSecret(Buffer.from(it, 'base64'), secretOf(ada)))).toBe(false);
  });
});

it('keeps only keys that cannot be exported in IndexedDB', async () => {
  await add(page);
  const found = await walkDatabase(page);
  expect(found.keys).toEqual(['private false']);
  expect(found.bytes.length).toBeGreaterThan(0);
  expect(found.bytes.some(it => includesSecret(Buffer.from(it, 'base64'), secretOf(ada)))).toBe(false);
});

it('leaves no key in the profile folder that was stored wrapped', async () => {
  // Chromium writes CryptoKeys that cannot be exported into its profile as they are: that is what shows that the search finds.
  const plain = await profileAfter({ userVerification: 'none' });
  expect(includesSecret(plain, secretOf(ada))).toBe(true);
  const wrapped = await profileAfter({ userVerification: 'required' });
  expect(includesSecret(wrapped, secretOf(ada))).toBe(false);
  expect(wrapped.includes(Buffer.from('passphrase'))).toBe(true);
}, 60_000);

/** Everything that a profile folder holds after an identity was stored. */
async function profileAfter(controls: IdentityControls): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-profile-'));
  try {
    const persistent = await chromium.launchPersistentContext(folder, launchOptions());
    const opened = await open(persistent);
    await opened.evaluate(
      async ([content, given]) => {
        const { IdentityStore, openPkcs12, passphraseVerification } = library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret', sealedCopy: true });
        const verification = passphraseVerification({ ask: () => 'correct horse' });
        const store = await IdentityStore.open({ verification });
        for (const identity of identities) {
          const { id } = await store.add(identity, given);
          await store.use(id, { hostname: 'localhost', port: 443 });
        }
        store.close();
      },
      [adaFile, controls] as const,
    );
    await persistent.close();
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter(it => it.isFile()).map(it => readFileSync(join(it.parentPath, it.name)));
    return Buffer.concat(files);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every CryptoKey and every run of bytes in the database, read past the library. */
function walkDatabase(where: Page): Promise<{ keys: string[]; bytes: string[] }> {
  return where.evaluate(async () => {
    const promised = <T>(asked: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => reject(asked.error);
      });
    const database = await promised(indexedDB.open('browser-mtls'));
    const keys: string[] = [];
    const bytes: string[] = [];
    const walk = (value: unknown): void => {
      if (value instanceof CryptoKey) keys.push(`${value.type} ${value.extractable}`);
      else if (typeof value === 'string') bytes.push(btoa(unescape(encodeURIComponent(value))));
      else if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
        const view = ArrayBuffer.isView(value)
          ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
          : new Uint8Array(value);
        bytes.push(btoa(Array.from(view, it => String.fromCharCode(it)).join('')));
      } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
    };
    for (const name of database.objectStoreNames)
      walk(await promised(database.transaction(name).objectStore(name).getAll()));
    database.close();
    return { keys, bytes };
  });
}

/** The private number of an ECDSA key. */
function secretOf({ key }: KeyPair): Buffer {
  const { d = '' } = createPrivateKey(key).export({ format: 'jwk' });
  return Buffer.from(d, 'base64url');
}

/** As it is, backwards, or as text. */
function includesSecret(haystack: Buffer, secret: Buffer): boolean {
  const forms = [
    secret,
    Buffer.from(secret).reverse(),
    Buffer.from(secret.toString('hex')),
    Buffer.from(secret.toString('base64url')),
    Buffer.from(secret.toString('base64')),
  ];
  return forms.some(form => haystack.includes(form));
}
