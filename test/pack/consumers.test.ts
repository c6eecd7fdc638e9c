import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { complaintsOf, launchChromium, scriptsOf } from '../support/chromium.js';
import { startRelay } from '../support/client.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { freePort, type RunningProgram, startProgram } from '../support/process.js';
import { installedVersion, makeProject, packPackage, type Tarball } from '../support/tarball.js';

/** A name that stands in PKI.js and nowhere else, minified or not. */
const PKIJS_MARK = 'PKCS8ShroudedKeyBag';

const MAIN = `import { createClient, evaluateTrust, MtlsError, openPkcs12 } from 'browser-mtls';
import { IdentityPicker } from 'browser-mtls/elements';
globalThis.subjectOf = async (base64, password) => {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  try {
    const { identities } = await openPkcs12(bytes, { password });
    return identities.map(({ certificate }) => certificate.subject).join();
  } catch (error) {
    return error instanceof MtlsError ? error.code : String(error);
  }
};
globalThis.mozillaSaysOf = async pem => {
  const { trusted, code } = await evaluateTrust(pem, { anchors: 'mozilla' });
  return trusted ? 'trusted' : code;
};
globalThis.decodedBytes = async ({ tunnel, anchor, url }) => {
  const client = await createClient({ tunnel, trust: { anchors: [anchor] } });
  const { byteLength } = await (await client.fetch(url)).arrayBuffer();
  await client.close();
  document.body.textContent = client.WebSocket.name;
  return byteLength;
};
if (document.createElement('identity-picker') instanceof IdentityPicker) document.title = 'ready';
`;
const pageWith = (head: string) =>
  `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,">${head}</head></html>`;

let tarball: Tarball;
let project: ReturnType<typeof makeProject>;
let browser: Browser;
let modern: string;
let legacy: string;
let certificate: string;
let coded: { tunnel: string; anchor: string; url: string };
let target: NodeServer;
let relay: Relay;

beforeAll(async () => {
  const pki = new OpensslPki();
  const pair = pki.issue({ subject: '/CN=Ada', kind: 'rsa', usage: 'clientAuth' });
  const base64 = (legacyFile: boolean) =>
    Buffer.from(writePkcs12(pair, { password: 'secret', legacy: legacyFile })).toString('base64');
  certificate = pair.cert;
  modern = base64(false);
  legacy = base64(true);
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  target = await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false });
  relay = await startRelay();
  coded = {
    tunnel: relay.url,
    anchor: pki.ca.cert,
    url: `https://localhost:${target.port}/zeros?size=100000&coding=zstd`,
  };
  pki.close();

  tarball = packPackage();
  project = makeProject(tarball, {
    files: { 'index.html': pageWith('<script type="module" src="/main.js"></script>'), 'main.js': MAIN },
    others: [`vite@${installedVersion('vite')}`],
  });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await target?.stop();
  project?.remove();
  tarball?.remove();
});

/** What the page must do, however it was put together. */
async function opensFiles(url: string): Promise<void> {
  const page = await browser.newPage();
  try {
    const complaints = complaintsOf(page);
    const scripts = scriptsOf(page);
    const engineRequests: string[] = [];
    page.on('request', request => /engine.*\.wasm/.test(request.url()) && engineRequests.push(request.url()));
    const decoderRequests: string[] = [];
    page.on('request', request => /decoder/.test(request.url()) && decoderRequests.push(request.url()));
    const rootsRequests: string[] = [];
    page.on(
      'request',
      request => request.url().includes('mozilla-roots') && rootsRequests.push(request.url()),
    );
    await page.goto(url);
    await page.waitForFunction(() => document.title === 'ready');
    expect(await holdMark(scripts)).toEqual([]);
    expect(engineRequests).toEqual([]);

    expect(await subjectOf(page, modern, 'secret')).toBe('CN=Ada');
    expect(await holdMark(scripts)).toHaveLength(1);
    expect(await subjectOf(page, legacy, 'secret')).toBe('CN=Ada');
    expect(await subjectOf(page, legacy, 'wrong')).toBe('ERR_P12_PASSWORD');
    expect(engineRequests).toHaveLength(1);
    expect(rootsRequests).toEqual([]);
    expect(await mozillaSaysOf(page, certificate)).toBe('ERR_TLS_CERT_PURPOSE');
    expect(rootsRequests).toHaveLength(1);
    expect(decoderRequests).toEqual([]);
    expect(await decodedBytes(page)).toBe(100_000);
    // Minified or not.
    expect(await page.textContent('body')).toBe('WebSocket');
    expect(decoderRequests.map(address => /\.\w+/.exec(new URL(address).pathname)?.[0])).toContain('.wasm');
    expect(complaints).toEqual([]);
  } finally {
    await page.close();
  }
}

function subjectOf(page: Page, file: string, password: string): Promise<string> {
  return page.evaluate(
    ([content, secret]) =>
      (globalThis as unknown as { subjectOf(file: string, password: string): Promise<string> }).subjectOf(
        content,
        secret,
      ),
    [file, password] as const,
  );
}

function mozillaSaysOf(page: Page, pem: string): Promise<string> {
  return page.evaluate(
    it => (globalThis as unknown as { mozillaSaysOf(pem: string): Promise<string> }).mozillaSaysOf(it),
    pem,
  );
}

function decodedBytes(page: Page): Promise<number> {
  return page.evaluate(
    it => (globalThis as unknown as { decodedBytes(it: object): Promise<number> }).decodedBytes(it),
    coded,
  );
}

/** The scripts with PKI.js in them. */
async function holdMark(scripts: Map<string, Promise<string>>): Promise<string[]> {
  const found: string[] = [];
  for (const [url, text] of scripts) if ((await text).includes(PKIJS_MARK)) found.push(url);
  return found;
}

describe('a fresh vite app without configuration', () => {
  test('vite build', async () => {
    execFileSync('npx', ['--no-install', 'vite', 'build'], { cwd: project.folder, stdio: 'pipe' });
    const pages = await startPages({ folders: { '/': join(project.folder, 'dist') } });
    try {
      await opensFiles(`${pages.origin}/index.html`);
    } finally {
      await pages.stop();
    }
  });

  test('vite dev', async () => {
    const port = await freePort();
    // Not by npx, which would stand between us and the process that is to be stopped.
    const vite: RunningProgram = startProgram(
      process.execPath,
      ['node_modules/vite/bin/vite.js', '--host', '127.0.0.1', '--port', String(port), '--strictPort'],
      { cwd: project.folder, env: { NO_COLOR: '1' } },
    );
    try {
      await vite.waitFor(/Local:/);
      await opensFiles(`http://127.0.0.1:${port}/`);
    } finally {
      await vite.stop();
    }
  });
});

test('a page without a bundler, by an import map', async () => {
  const pages = await startPages({
    pages: {
      '/': pageWith(
        '<script type="importmap">{ "imports": { "browser-mtls": "/lib/index.js", "browser-mtls/elements": "/lib/elements.js" } }</script><script type="module" src="/main.js"></script>',
      ),
      '/main.js': MAIN,
    },
    folders: { '/lib/': join(project.folder, 'node_modules/browser-mtls/dist') },
  });
  try {
    await opensFiles(`${pages.origin}/`);
  } finally {
    await pages.stop();
  }
});
