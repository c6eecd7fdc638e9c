// Which Rust the tests use: rustup's, in the version of rust-toolchain.toml where it can be had, or Debian's.
import { readFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { runCommand } from './command.mjs';
import { installed, installPackages, onPath, output } from './system.mjs';

const MINIMUM_RUST = [1, 87];
const COMPONENTS = ['rustfmt', 'clippy'];
const TARGET = 'wasm32-wasip1';

/** Debian's own Rust, with the sources of its standard library for wasm32-wasip1: where rustup gives none. */
const DEBIAN_RUST = ['rustc-web', 'cargo-web', 'rust-web-src', 'rust-web-clippy', 'rustfmt-web', 'lld'];

/** rustup's cargo when there is one, otherwise Debian's. */
export function findCargo() {
  return onPath('cargo') ? 'cargo' : '/usr/bin/cargo';
}

/** The version of rust-toolchain.toml. */
export function pinnedRust() {
  return /^channel = "(.*)"$/m.exec(readFileSync('rust-toolchain.toml', 'utf8'))?.[1] ?? '';
}

/** Leaves rustup nothing to fetch where the pinned version is installed, under whatever name; otherwise the choice stays with rustup. */
export function useInstalledToolchain() {
  if (process.env.RUSTUP_TOOLCHAIN || !onPath('rustup')) return;
  const name = installedToolchain(pinnedRust());
  if (name) process.env.RUSTUP_TOOLCHAIN = name;
}

/** Gets Rust ready, by way of rustup or of Debian's packages; resolves with false when neither can give it. */
export async function prepareRust(timeoutMs) {
  if (onPath('rustup') && (await prepareRustup(timeoutMs))) return true;
  console.log("rustup gives no usable toolchain: taking Debian's");
  process.env.WASM_TOOLCHAIN = 'debian';
  const missing = DEBIAN_RUST.filter(name => !installed(name));
  if (missing.length > 0 && !(await installPackages(missing, timeoutMs))) return false;
  // Ahead of rustup's, which has just been found unusable; but not ahead of the Node that runs now.
  process.env.PATH = [dirname(process.execPath), '/usr/bin', process.env.PATH].join(delimiter);
  return true;
}

async function prepareRustup(timeoutMs) {
  const pinned = pinnedRust();
  const { RUSTUP_TOOLCHAIN: wanted } = process.env;
  const candidates = wanted
    ? [wanted]
    : [installedToolchain(pinned) ?? pinned, output('rustup', ['default']).split(' ')[0], 'stable'];
  for (const name of candidates) {
    if (!name || !(await prepareToolchain(name, timeoutMs))) continue;
    process.env.RUSTUP_TOOLCHAIN = name;
    if (versionOf(name) !== pinned) console.log(`Rust ${pinned} cannot be used: taking ${name}`);
    return true;
  }
  return false;
}

async function prepareToolchain(name, timeoutMs) {
  const rustup = (...args) => runCommand(['rustup', ...args], { timeoutMs });
  if (!isRecent(versionOf(name))) {
    const { ok } = await rustup('toolchain', 'install', name, '--profile', 'minimal', '--no-self-update');
    if (!ok || !isRecent(versionOf(name))) return false;
  }
  const components = output('rustup', ['component', 'list', '--installed', '--toolchain', name]);
  for (const component of COMPONENTS.filter(it => !components.includes(it))) {
    if (!(await rustup('component', 'add', '--toolchain', name, component)).ok) return false;
  }
  const targets = output('rustup', ['target', 'list', '--installed', '--toolchain', name]).split('\n');
  return targets.includes(TARGET) || (await rustup('target', 'add', '--toolchain', name, TARGET)).ok;
}

/** The name of an installed toolchain of this version: its own, or `stable` as a rule. */
function installedToolchain(version) {
  const names = output('rustup', ['toolchain', 'list'])
    .split('\n')
    .map(line => line.split(' ')[0]);
  return (
    names.find(name => name.startsWith(`${version}-`)) ??
    names.find(name => name !== '' && versionOf(name) === version)
  );
}

/** The version of a toolchain of rustup's; empty for one that is not installed. */
function versionOf(name) {
  return /^rustc ([\d.]+)/.exec(output('rustup', ['run', name, 'rustc', '--version']))?.[1] ?? '';
}

function isRecent(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MINIMUM_RUST[0] || (major === MINIMUM_RUST[0] && minor >= MINIMUM_RUST[1]);
}
