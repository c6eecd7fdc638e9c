#!/usr/bin/env node
// `npm run notices`: writes THIRD_PARTY_NOTICES.md, the licences of what is inside the built files: npm packages that the bundle
// takes in, and Rust crates in the .wasm. With `--check` it only compares. Fails on a licence that is not permissive.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'vite';

const FILE = 'THIRD_PARTY_NOTICES.md';
const PERMISSIVE = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  'Apache-2.0',
  'Apache-2.0 WITH LLVM-exception',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'Zlib',
  'Unicode-3.0',
  'CC0-1.0',
  'Unlicense',
  'CDLA-Permissive-2.0',
]);

const components = [...(await bundledPackages()), ...crates(), ...runtime(), mozillaRoots()].sort((a, b) =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0,
);
const refused = components.filter(({ license }) => !isPermissive(license));
for (const { name, license } of refused) console.error(`${name}: the licence ${license} is not permissive`);

const text = render(components);
const current = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
if (!process.argv.includes('--check')) {
  writeFileSync(FILE, text);
  console.log(`${FILE}: ${components.length} components`);
} else if (text !== current) {
  console.error(`${FILE} is not what ships: run npm run notices and commit the result`);
}
const inRelay = await bundledPackages('relay/vite.config.ts');
for (const { name } of inRelay) console.error(`${name}: is in the bundle of relay/, which ships no notices`);
const wrong =
  refused.length > 0 || inRelay.length > 0 || (process.argv.includes('--check') && text !== current);
process.exitCode = wrong ? 1 : 0;

/** The npm packages of which a bundle really has modules. */
async function bundledPackages(configFile = 'vite.config.ts') {
  const { output } = [await build({ configFile, logLevel: 'error', build: { write: false } })].flat()[0];
  const folders = new Set();
  for (const id of output.flatMap(({ moduleIds = [] }) => moduleIds)) {
    const match = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id);
    if (match) folders.add(match[0]);
  }
  return [...folders].map(folder => {
    const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const holder = typeof author === 'string' ? author : author?.name;
    return { name, version, license, kind: 'npm', texts: licenceTexts(folder), holder };
  });
}

/** The crates that are compiled into the .wasm: no build scripts, macros or development tools. */
function crates() {
  const args = [
    'metadata',
    '--format-version=1',
    '--locked',
    '--filter-platform=wasm32-wasip1',
    '--manifest-path=wasm/Cargo.toml',
  ];
  const { status, stdout, stderr } = spawnSync('cargo', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`cargo metadata failed: ${stderr}`);
  const { packages, resolve } = JSON.parse(stdout);
  const packageById = new Map(packages.map(it => [it.id, it]));
  const nodeById = new Map(resolve.nodes.map(it => [it.id, it]));
  const found = new Set();
  const visit = id => {
    if (found.has(id) || isMacro(packageById.get(id))) return;
    found.add(id);
    for (const { pkg, dep_kinds } of nodeById.get(id).deps) {
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
    }
  };
  for (const built of ['mtls-abi', 'mtls-decoders']) visit(packages.find(({ name }) => name === built).id);
  return [...found]
    .map(id => packageById.get(id))
    .filter(({ source }) => source !== null)
    .map(({ name, version, license, authors, manifest_path }) => ({
      name,
      version,
      license: (license ?? 'unknown').replaceAll(/\s*\/\s*/g, ' OR '),
      kind: 'crate',
      texts: licenceTexts(dirname(manifest_path)),
      holder: authors.map(author => author.replace(/ *<.*>/, '')).join(', '),
    }));
}

function isMacro({ targets }) {
  return targets.some(({ kind }) => kind.includes('proc-macro'));
}

/** What every Rust program for this target has in it. */
function runtime() {
  const component = (name, license, holder) => ({ name, license, kind: 'runtime', texts: [], holder });
  return [
    component('Rust standard library', 'MIT OR Apache-2.0', 'The Rust Project Contributors'),
    component(
      'wasi-libc',
      'MIT OR Apache-2.0',
      'the wasi-libc contributors; for the parts from musl: Rich Felker et al.',
    ),
  ];
}

/** The data of `mozilla-roots.bin`, by way of a crate. */
function mozillaRoots() {
  const folder = 'tools/mozilla-roots';
  const name = 'webpki-root-certs';
  const lock = readFileSync(join(folder, 'Cargo.lock'), 'utf8');
  const [, version] = new RegExp(`name = "${name}"\\nversion = "(.*)"`).exec(lock);
  return { name, version, license: 'CDLA-Permissive-2.0', kind: 'data', texts: licenceTexts(folder) };
}

/** Of a choice of licences, the MIT text alone; otherwise every licence file. */
function licenceTexts(folder) {
  const files = readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile() && /^(licen[cs]e|copying|notice|copyright)/i.test(entry.name))
    .map(({ name }) => name)
    .sort();
  const mit = files.filter(name => /mit/i.test(name));
  const others = files.filter(name => /^(notice|copyright)/i.test(name));
  return (mit.length > 0 ? [...mit, ...others] : files).map(name =>
    readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim(),
  );
}

/** Whether the SPDX expression leaves a choice that is permissive in all its parts. */
function isPermissive(expression) {
  const flat = text =>
    text
      .split(' OR ')
      .some(choice =>
        choice.split(' AND ').every(part => part.trim() === 'true' || PERMISSIVE.has(part.trim())),
      );
  let text = String(expression);
  while (/\([^()]*\)/.test(text)) text = text.replace(/\(([^()]*)\)/g, (_, inner) => String(flat(inner)));
  return flat(text);
}

function render(all) {
  const title = { npm: 'npm package', crate: 'Rust crate', runtime: 'Rust runtime', data: 'data' };
  const rows = all.map(
    ({ name, version, license, kind }) => `| ${name} | ${version ?? ''} | ${title[kind]} | ${license} |`,
  );
  const usersByText = new Map();
  for (const { name, license, holder, texts } of all) {
    for (const content of texts.length > 0 ? texts : [standardText(license, holder)]) {
      usersByText.set(content, [...(usersByText.get(content) ?? []), name]);
    }
  }
  const sections = [...usersByText].map(
    ([content, users]) => `## ${users.join(', ')}\n\n${fence(content)}\n`,
  );
  return [
    '# Third-party notices',
    '',
    'What is inside the built files of this package: npm packages in the JavaScript, Rust and C code in `engine.wasm` and `decoders.wasm`, and the certificates in `mozilla-roots.bin`. Made by `npm run notices`.',
    '',
    '| Name | Version | Kind | Licence |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    ...sections,
  ].join('\n');
}

function fence(content) {
  return `\`\`\`\`text\n${content}\n\`\`\`\``;
}

/** For those that come without a file: the text that their licence field names. */
function standardText(license, holder) {
  if (!/\bMIT\b/.test(license)) return `${license}. Copyright (c) ${holder || 'its authors'}.`;
  return `MIT License

Copyright (c) ${holder || 'its authors'}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}
