import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { complaintsOf, launchChromium, launchOptions } from '../support/chromium.js';
import { startRelay } from '../support/client.js';
import { blockOf } from '../support/documented.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type PageContent, startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { freePort, startProgram } from '../support/process.js';
import { strictConfig, typeErrors } from '../support/tarball.js';
import { type App, documentedRow, makeWorkspace, type Workspace } from './workspace.js';

const DOCUMENT = 'docs/embedding.md';
const WORKS = { subject: 'Ada', sizes: [100_000, 100_000], code: 'ERR_TLS_CERT_UNTRUSTED' };
/** A page for scripts that a bundler puts into /assets/. */
const pageOf = (script: string, type = 'module') =>
  `<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"></head><body><script type="${type}" src="/assets/${script}"></script></body></html>`;
const configLines = blockOf(
  DOCUMENT,
  ({ heading, language }) => heading === 'configure' && language === 'js',
);

let workspace: Workspace;
let browser: Browser;
let relay: Relay;
let server: NodeServer;
let options: { base64: string; password: string; tunnel: string; anchor: string; origin: string };

beforeAll(async () => {
  workspace = makeWorkspace();
  const pki = new OpensslPki();
  const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
  const named = { subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' as const };
  server = await startNodeServer({ server: pki.issue(named), clientCa: pki.ca.cert });
  relay = await startRelay();
  browser = await launchChromium();
  options = {
    base64: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
    password: 'secret',
    tunnel: relay.url,
    anchor: pki.ca.cert,
    origin: `https://localhost:${server.port}`,
  };
  pki.close();
}, 600_000);

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await server?.stop();
  workspace?.remove();
});

/** What the application makes of its options, in a browser. */
async function outcomeAt(url: string, context: Pick<Browser, 'newPage'> = browser): Promise<unknown> {
  const page = await context.newPage();
  try {
    const complaints = complaintsOf(page);
    const engines: string[] = [];
    page.on('request', request => {
      const { pathname } = new URL(request.url());
      if (/\/engine[^/]*\.wasm$/.test(pathname)) engines.push(pathname);
    });
    await page.goto(url);
    await page.waitForFunction(() => 'tryAll' in globalThis);
    const outcome = await tryAll(page);
    expect(complaints).toEqual([]);
    expect(engines.length).toBeLessThanOrEqual(1);
    return outcome;
  } finally {
    await page.close();
  }
}

function tryAll(page: Page): Promise<unknown> {
  return page.evaluate(
    it => (globalThis as unknown as { tryAll(it: object): Promise<unknown> }).tryAll(it),
    options,
  );
}

/** The same of an application that is built, and served. */
async function outcomeOf(content: PageContent, path = '/'): Promise<unknown> {
  const pages = await startPages(content);
  try {
    return await outcomeAt(pages.origin + path);
  } finally {
    await pages.stop();
  }
}

const textOf = (app: App, ...path: string[]) => readFileSync(app.path(...path), 'utf8');
const builtBy = (app: App, script = 'main.js', type = 'module'): PageContent => ({
  pages: { '/': pageOf(script, type) },
  folders: { '/assets/': `${app.path('out/assets')}/` },
});

/** A folder with an index.html. */
const site = (app: App, out = 'out'): PageContent => ({
  pages: { '/': textOf(app, out, 'index.html') },
  folders: { '/': `${app.path(out)}/` },
});

async function outcomeInDevelopment(app: App, program: string): Promise<unknown> {
  const port = await freePort();
  const args = [app.program(program), '--host', '127.0.0.1', '--port', String(port), '--strictPort'];
  const vite = startProgram(process.execPath, args, { cwd: app.folder, env: { NO_COLOR: '1' } });
  try {
    await vite.waitFor(/Local:/, 60_000);
    return await outcomeAt(`http://127.0.0.1:${port}/`);
  } finally {
    await vite.stop();
  }
}

test.each([
  ['webpack 5', 'webpack'],
  ['Rspack', 'rspack'],
])('%s', async (tool, name) => {
  expect(documentedRow(tool).text).toBe('nothing');
  const app = workspace.makeApp(name);
  app.run('build.mjs');
  expect(await outcomeOf(builtBy(app))).toEqual(WORKS);
  for (const script of readdirSync(app.path('out/assets')).filter(it => it.endsWith('.js')))
    expect(textOf(app, 'out/assets', script)).not.toContain(app.folder);
  expect(await outcomeOf(builtBy(app, 'workers.js'))).toEqual([WORKS, WORKS]);
});

test('Rollup', async () => {
  const { lines } = documentedRow('Rollup');
  const app = workspace.makeApp('rollup');
  for (const line of lines) expect(textOf(app, 'rollup.config.mjs')).toContain(line);
  app.run('rollup/dist/bin/rollup', ['-c']);
  expect(await outcomeOf(builtBy(app))).toEqual(WORKS);
});

describe('esbuild', () => {
  const build = (app: App, entry: string, format: string, flags: string[]) =>
    app.run('esbuild/bin/esbuild', [
      entry,
      '--bundle',
      `--format=${format}`,
      '--outdir=out/assets',
      ...flags,
    ]);
  const flags = () => documentedRow('esbuild').lines[0]?.split(' ') ?? [];

  test.each([
    ['esm', 'module', ['--splitting']],
    ['esm', 'module', []],
    ['iife', 'text/javascript', []],
  ])('%s as %s %s', async (format, type, others) => {
    const app = workspace.makeApp('esbuild', { files: { 'assets.js': configLines } });
    build(app, 'configured.js', format, [...flags(), ...others]);
    expect(await outcomeOf(builtBy(app, 'configured.js', type))).toEqual(WORKS);
  });

  test('a script that is not configured says what to do', async () => {
    const app = workspace.makeApp('esbuild');
    build(app, 'main.js', 'iife', []);
    expect(await outcomeOf(builtBy(app, 'main.js', 'text/javascript'))).toMatchObject({
      code: 'ERR_ENGINE_LOAD',
      message: expect.stringContaining('set its address with configure({ engine })'),
    });
  });
});

test('Parcel 2', async () => {
  expect(documentedRow('Parcel 2').text).toBe('nothing');
  const app = workspace.makeApp('parcel');
  app.run('parcel/lib/bin.js', [
    'build',
    'index.html',
    '--no-cache',
    '--no-source-maps',
    '--dist-dir',
    'out',
  ]);
  expect(await outcomeOf(site(app))).toEqual(WORKS);
});

describe.each([
  ['Vite 5, 6 and 7', 'vite5'],
  ['Vite 5, 6 and 7', 'vite6'],
  ['Vite 5, 6 and 7', 'vite'],
  ['Vite 8', 'vite8'],
])('%s: %s', (tool, name) => {
  const program = `${name}/bin/vite.js`;

  test('build', async () => {
    const app = workspace.makeApp(name, { from: 'vite' });
    app.run(program, ['build', '--outDir', 'out']);
    expect(await outcomeOf(site(app))).toEqual(WORKS);
  });

  test('dev', async () => {
    expect(documentedRow(tool).text).toMatch(/^nothing/);
    const app = workspace.makeApp(name, { from: 'vite' });
    expect(await outcomeInDevelopment(app, program)).toEqual(WORKS);
  });
});

test('Vite 7 in a monorepo: the error names the line that helps', async () => {
  const { lines } = documentedRow('Vite 5, 6 and 7');
  const app = workspace.makeApp('monorepo', { from: 'vite', hoisted: true });
  expect(await outcomeInDevelopment(app, 'vite/bin/vite.js')).toMatchObject({
    code: 'ERR_ENGINE_LOAD',
    message: expect.stringContaining(`Add ${lines[0]} to vite.config`),
  });
  const files = { 'vite.config.js': `export default { ${lines[0]} };` };
  const mended = workspace.makeApp('monorepo', { from: 'vite', hoisted: true, files });
  expect(await outcomeInDevelopment(mended, 'vite/bin/vite.js')).toEqual(WORKS);
});

test('Vite 7: workers, with the documented line', async () => {
  const config = blockOf(DOCUMENT, ({ text }) => text.startsWith('export default { worker:'));
  const files = { 'vite.config.js': config, 'index.html': pageOf('workers.js').replace('/assets/', '/') };
  const app = workspace.makeApp('workers', { files });
  app.run('vite/bin/vite.js', ['build', '--outDir', 'out']);
  expect(await outcomeOf(site(app))).toEqual([WORKS, WORKS]);
});

test.each(['--turbopack', '--webpack'])('Next.js %s', async bundler => {
  expect(documentedRow('Next.js').text).toBe('nothing, with Turbopack and webpack');
  const app = workspace.makeApp('next');
  app.run('next/dist/bin/next', ['build', bundler]);
  expect(await outcomeOf(site(app))).toEqual(WORKS);
});

test('SvelteKit 2', async () => {
  expect(documentedRow('SvelteKit 2').text).toBe('nothing');
  const app = workspace.makeApp('sveltekit');
  app.run('vite/bin/vite.js', ['build']);
  expect(await outcomeOf(site(app, 'build'))).toEqual(WORKS);
});

test('Angular 21', async () => {
  const inAngular = (language: string) =>
    blockOf(DOCUMENT, block => block.heading === 'Angular' && block.language === language);
  const config = JSON.parse(readFileSync('test/bundlers/apps/angular/angular.json', 'utf8'));
  Object.assign(config.projects.app.architect.build.options, JSON.parse(inAngular('json')));
  const files = { 'angular.json': JSON.stringify(config), 'assets.js': inAngular('js') };
  const app = workspace.makeApp('angular', { files });
  app.run('@angular/cli/bin/ng.js', ['build']);
  const pages = { '/app/': textOf(app, 'out/browser/index.html') };
  const folders = { '/app/': `${app.path('out/browser')}/` };
  expect(await outcomeOf({ pages, folders }, '/app/')).toEqual(WORKS);
});

test('a page of a Manifest V3 extension', async () => {
  const policy = blockOf(DOCUMENT, ({ heading }) => heading === 'Extensions');
  const manifest = { manifest_version: 3, name: 'App', version: '1', ...JSON.parse(policy) };
  const files = { 'out/manifest.json': JSON.stringify(manifest), 'out/page.html': pageOf('main.js') };
  const app = workspace.makeApp('extension', { from: 'rspack', files });
  app.run('build.mjs');
  const folder = app.path('out');
  const flags = [`--disable-extensions-except=${folder}`, `--load-extension=${folder}`];
  const context = await chromium.launchPersistentContext(app.path('profile'), launchOptions(flags));
  try {
    expect(await outcomeAt(`chrome-extension://${extensionId(folder)}/page.html`, context)).toEqual(WORKS);
  } finally {
    await context.close();
  }
});

/** Chromium names an unpacked extension by the hash of its folder, in the letters from a to p. */
function extensionId(folder: string): string {
  const hex = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  return [...hex].map(digit => String.fromCharCode(97 + Number.parseInt(digit, 16))).join('');
}

test.each(['19', '18'])('types of the assets and of the elements in JSX, React %s', version => {
  const react = version === '19' ? '@types/react' : 'types-react-18';
  const types = (path = '') => [`../../node_modules/${react}${path}`];
  const paths = { react: types(), 'react/jsx-runtime': types('/jsx-runtime') };
  const settings = { module: 'ESNext', moduleResolution: 'bundler', jsx: 'react-jsx', types: [], paths };
  const lib = ['ES2022', 'DOM', 'DOM.Iterable'];
  const files = { 'tsconfig.json': strictConfig({ ...settings, lib }, ['page.tsx']) };
  const app = workspace.makeApp('types', { files });
  expect(typeErrors('tsconfig.json', app.folder)).toBe('');
});
