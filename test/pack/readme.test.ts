import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MtlsClient } from '../../src/index.js';
import { complaintsOf, launchChromium } from '../support/chromium.js';
import { blockOf } from '../support/documented.js';
import { startPages } from '../support/pages.js';
import { type RunningProgram, startProgram } from '../support/process.js';
import { freePorts, ServerFolder } from '../support/servers/folder.js';
import { installedVersion, makeProject, npm, packPackage, type Tarball } from '../support/tarball.js';

const CREATE_VITE = 'create-vite@9.3.0';
const README = 'README.md';

declare global {
  // The example's client; set for the test.
  var client: MtlsClient;
}

const folder = new ServerFolder('readme');
const programs: RunningProgram[] = [];
let ports: { server: string; relay: string };
let tarball: Tarball;
let project: ReturnType<typeof makeProject>;

beforeAll(async () => {
  const commands = blockOf('docs/servers.md', it => it.heading === 'Test certificates');
  execFileSync('sh', ['-ec', commands], { cwd: folder.path, stdio: 'pipe' });
  const [server, relay] = (await freePorts(2)).map(String) as [string, string];
  ports = { server, relay };
  tarball = packPackage();
  const others = [CREATE_VITE, ...['vite', 'typescript'].map(name => `${name}@${installedVersion(name)}`)];
  project = makeProject(tarball, { files: {}, others });
});

afterAll(async () => {
  for (const program of programs) await program.stop();
  project?.remove();
  tarball?.remove();
  folder.remove();
});

/** A block of the README, with the ports of this test. */
function block(language: string): string {
  return blockOf(README, it => it.language === language)
    .replaceAll('8443', ports.server)
    .replaceAll('8080', ports.relay);
}

/** The app that the README makes, built as its own `npm run build` does. */
function buildApp(): string {
  npm(['exec', '--no', '--', 'create-vite', 'app', '--template', 'vanilla-ts'], project.folder);
  const app = join(project.folder, 'app');
  writeFileSync(join(app, 'src/main.ts'), `${block('ts')}\nglobalThis.client = client;\n`);
  writeFileSync(join(app, 'src/global.d.ts'), 'declare var client: import("browser-mtls").MtlsClient;\n');
  writeFileSync(join(app, 'public/ca.pem'), readFileSync(join(folder.path, 'ca.pem')));
  execFileSync('npm', ['run', 'build'], { cwd: app, stdio: 'pipe' });
  return join(app, 'dist');
}

function startNginx(): RunningProgram {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map(name => `${name}_temp_path ${folder.path}/${name};`).join('\n');
  const config = folder.write(
    'nginx.conf',
    `daemon off; master_process off; pid ${folder.path}/pid; error_log stderr notice;
    events {}
    http { access_log off; ${paths}\n${block('nginx')} }`,
  );
  const env = { PATH: `${process.env.PATH}:/usr/sbin` };
  return startProgram('nginx', ['-e', 'stderr', '-p', folder.path, '-c', config], { env });
}

/** The relay by the README's command line, for the origin of this test's pages. */
function startRelayCommand(origin: string): RunningProgram {
  const line = blockOf(README, ({ text }) => text.startsWith('npx browser-mtls-relay'));
  const [, , ...args] = line
    .trim()
    .replace('8443', ports.server)
    .replace(/http:\S+/, origin)
    .split(' ');
  const listen = ['--listen', `127.0.0.1:${ports.relay}`];
  return startProgram(process.execPath, ['relay/dist/cli.js', ...args, ...listen]);
}

test('the README leads from npm create vite to the first answer, to one at the next visit, and from http: to https:', async () => {
  const pages = await startPages({ folders: { '/': buildApp() } });
  programs.push(startNginx(), startRelayCommand(pages.origin));
  for (const program of programs) await program.listensOn([Number(ports.server), Number(ports.relay)]);
  const browser = await launchChromium(['--host-resolver-rules=MAP insecure.test 127.0.0.1']);
  try {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    await page.goto(`${pages.origin}/index.html`);
    const importer = page.locator('identity-import');
    await importer.locator('[part="file"]').setInputFiles(join(folder.path, 'ada.p12'));
    await importer.locator('[part="password"]').fill('secret');
    await importer.locator('[part="submit"]').click();
    await expect.poll(() => page.textContent('pre'), { timeout: 20_000 }).toBe('Hello, CN=Ada\n');

    await page.reload();
    await page.waitForFunction(() => globalThis.client !== undefined);
    const url = `https://localhost:${ports.server}/`;
    const answer = await page.evaluate(async it => (await globalThis.client.fetch(it)).text(), url);
    expect(answer).toBe('Hello, CN=Ada\n');
    expect(complaints).toEqual([]);

    await page.goto(`${pages.origin.replace('127.0.0.1', 'insecure.test')}/index.html`);
    const message = expect.stringMatching(/^error: .*insecure\.test:\d+, is not a secure context/);
    await expect.poll(() => complaints, { timeout: 20_000 }).toContainEqual(message);
  } finally {
    await browser.close();
    await pages.stop();
  }
});
