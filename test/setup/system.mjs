// What is on this machine, and how Debian's packages come to it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from './command.mjs';

export async function installPackages(names, timeoutMs) {
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', ...names];
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.error(`Missing on this machine. As root: ${command.join(' ')}`);
    return false;
  }
  // In runlevel 1 the packages do not start services of their own: the tests run their own nginx.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const { ok: updated } = await runCommand(['apt-get', 'update', '-q'], { timeoutMs, env });
  if (!updated) console.error('apt-get update failed; trying with the lists that are there');
  const { ok } = await runCommand(command, { timeoutMs, env });
  if (!ok) console.error(`These packages could not be installed: ${names.join(' ')}`);
  return ok;
}

export function installed(name) {
  return output('dpkg-query', ['-W', '-f', `\${Status}`, name]).startsWith('install ok');
}

export function output(file, args) {
  return spawnSync(file, args, { encoding: 'utf8' }).stdout ?? '';
}

export function succeeds(file, args) {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0;
}

export function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some(folder => existsSync(join(folder, name)));
}

export function addToPath(...folders) {
  const known = (process.env.PATH ?? '').split(delimiter);
  process.env.PATH = [...known, ...folders.filter(folder => !known.includes(folder))].join(delimiter);
}
