import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Tarball {
  path: string;
  files: { path: string; size: number; mode: number }[];
  remove(): void;
}

/** Packs the package as `npm publish` would, from the build that is there. */
export function packPackage(): Tarball {
  if (!existsSync('dist/index.js')) throw new Error('there is no build: run npm run build first');
  const folder = mkdtempSync(join(tmpdir(), 'mtls-pack-'));
  const output = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const [{ filename, files }] = Object.values(JSON.parse(output)) as [
    { filename: string; files: Tarball['files'] },
  ];
  return {
    path: join(folder, filename),
    files,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A project in a folder of its own, with the packed package and these others installed. */
export function makeProject(tarball: Tarball, options: { files: Record<string, string>; others?: string[] }) {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-consumer-'));
  const files = { 'package.json': '{ "private": true, "type": "module" }\n', ...options.files };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  npm(
    ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball.path, ...(options.others ?? [])],
    folder,
  );
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The version of a package that this project has. */
export function installedVersion(name: string): string {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

export function npm(args: string[], cwd = process.cwd()): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
