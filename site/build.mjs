#!/usr/bin/env node
// `npm run docs`: the documentation as a site, in site/dist. Installs its own packages, checks its own links.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deadLinks } from './dead-links.mjs';
import { sitePage } from './site-page.mjs';

const SITE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(SITE);
/** The pages as VitePress reads them. */
const PAGES = join(SITE, '.pages');
const OUTPUT = join(SITE, 'dist');

installPackages();
rmSync(PAGES, { recursive: true, force: true });
mkdirSync(PAGES, { recursive: true });
writePages();
runTool('typedoc', ['--options', 'typedoc.json']);
linkApiPages();
buildDemo();
runTool('vitepress', ['build', '.']);
const dead = deadLinks(OUTPUT);
for (const link of dead) console.error(`dead link: ${link}`);
process.exitCode = dead.length === 0 ? 0 : 1;

/** What the lock file says, once. */
function installPackages() {
  const installed = join(SITE, 'node_modules/.package-lock.json');
  const lock = readFileSync(join(SITE, 'package-lock.json'), 'utf8');
  const mark = join(SITE, 'node_modules/.site-lock');
  if (existsSync(installed) && existsSync(mark) && readFileSync(mark, 'utf8') === lock) return;
  const args = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  execFileSync('npm', args, { cwd: SITE, stdio: 'inherit' });
  writeFileSync(mark, lock);
}

function writePages() {
  const sources = ['relay/README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].filter(path =>
    existsSync(join(ROOT, path)),
  );
  for (const name of readdirSync(join(ROOT, 'docs'))) if (name.endsWith('.md')) sources.push(`docs/${name}`);
  for (const source of ['README.md', ...sources]) {
    const { path, text } = sitePage(source, readFileSync(join(ROOT, source), 'utf8'));
    writeFileSync(join(PAGES, path), text);
  }
  cpSync(join(SITE, 'demo.md'), join(PAGES, 'demo.md'));
}

/** Comments name a document by its path in the package: on the site it is a page. */
function linkApiPages() {
  const api = join(PAGES, 'api');
  for (const name of readdirSync(api, { recursive: true }).filter(it => it.endsWith('.md'))) {
    const text = readFileSync(join(api, name), 'utf8');
    const linked = text.replaceAll(/`docs\/([\w-]+)\.md`/g, '[$1](/$1.md)');
    if (linked !== text) writeFileSync(join(api, name), linked);
  }
}

/** The demo's static part; it asks for the relay's address. */
function buildDemo() {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const outDir = join(PAGES, 'public/demo');
  execFileSync(process.execPath, [vite, 'build', '--config', 'demo/vite.config.ts', '--outDir', outDir], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  // No local servers.
  writeFileSync(join(outDir, 'demo-config.json'), 'null\n');
}

function runTool(name, args) {
  const manifest = JSON.parse(readFileSync(join(SITE, `node_modules/${name}/package.json`), 'utf8'));
  const command = join(SITE, 'node_modules', name, manifest.bin[name]);
  execFileSync(process.execPath, [command, ...args], { cwd: SITE, stdio: 'inherit' });
}
