import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { launchOptions } from '../support/chromium.js';
import { blockOf } from '../support/documented.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder, builtRelay } from '../support/user-page.js';

const WORKER = `import { createClient, openPkcs12 } from './lib/static.js';
globalThis.use = async ({ file, anchor, tunnel, url }) => {
  const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
  const { identities } = await openPkcs12(bytes, { password: 'secret' });
  const client = await createClient({ tunnel, identities, trust: { anchors: anchor } });
  try {
    return (await (await client.fetch(url)).json()).subject;
  } catch ({ code, message }) {
    return code + ': ' + message;
  } finally {
    await client.close();
  }
};
`;

const folder = mkdtempSync(join(tmpdir(), 'mtls-extension-'));
const extension = join(folder, 'extension');
const pki = new OpensslPki('Test CA');
let node: NodeServer;
let relay: Relay;
let context: BrowserContext;

beforeAll(async () => {
  cpSync(builtFolder(), join(extension, 'lib'), { recursive: true });
  const policy = JSON.parse(blockOf('docs/embedding.md', ({ heading }) => heading === 'Extensions'));
  const background = { service_worker: 'worker.js', type: 'module' };
  const manifest = { manifest_version: 3, name: 'App', version: '1', background, ...policy };
  writeFileSync(join(extension, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(extension, 'worker.js'), WORKER);
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${node.port}`], origins: [originOf(extension)] });
  const flags = [`--disable-extensions-except=${extension}`, `--load-extension=${extension}`];
  context = await chromium.launchPersistentContext(join(folder, 'profile'), launchOptions(flags));
});

afterAll(async () => {
  await context?.close();
  await relay?.close();
  await node?.stop();
  rmSync(folder, { recursive: true, force: true });
  pki.close();
});

/** Chromium names an unpacked extension by the hash of its folder, in the letters from a to p. */
function originOf(path: string): string {
  const hex = createHash('sha256').update(path).digest('hex').slice(0, 32);
  const id = [...hex].map(digit => String.fromCharCode(97 + Number.parseInt(digit, 16))).join('');
  return `chrome-extension://${id}`;
}

test('the service worker of a Manifest V3 extension makes a request with browser-mtls/static', async () => {
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
  await expect.poll(() => worker.evaluate('typeof globalThis.use')).toBe('function');
  const pair = pki.issue({ subject: '/CN=Ada', kind: 'p256', usage: 'clientAuth' });
  const task = {
    file: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
    anchor: pki.ca.cert,
    tunnel: relay.url,
    url: `https://localhost:${node.port}/`,
  };
  expect(await worker.evaluate(`use(${JSON.stringify(task)})`)).toBe('Ada');
});
