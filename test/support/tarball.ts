import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Tarball {
  path: string;
  files: { path: string; size: number; mode: number }[];
  remove(): void;
}

/** A package.json, as far as the tests read it. */
export interface Manifest {
  version: string;
  main: string;
  types: string;
  exports: Record<string, string | Record<string, string>>;
  bin?: Record<string, string>;
}

/** Packs the package of a folder as `npm publish` would, from the build that is there. */
export function packPackage(packageFolder = '.'): Tarball {
  if (!existsSync(join(packageFolder, 'dist/index.js'))) {
    throw new Error('there is no build: run npm run build first');
  }
  const folder = mkdtempSync(join(tmpdir(), 'mtls-pack-'));
  const output = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], packageFolder);
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

export function readManifest(packageFolder = '.'): Manifest {
  return JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'));
}

/** Every file that a manifest names, as a path inside the package. */
export function namedFiles({ main, types, exports, bin = {} }: Manifest): string[] {
  const targets = [main, types, ...Object.values(bin), ...Object.values(exports)];
  return targets
    .flatMap(it => (typeof it === 'string' ? it : Object.values(it)))
    .map(path => path.replace(/^\.\//, ''));
}

/** The compiler options of a strict application; `options` says how it finds modules. */
export function strictConfig(options: object, files: string[]): string {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: 'ES2022',
  };
  return JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files });
}

/** What this project's TypeScript complains about in a project. */
export function typeErrors(config: string, folder: string): string {
  const tsc = join(process.cwd(), 'node_modules/typescript/bin/tsc');
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', config], {
    cwd: folder,
    encoding: 'utf8',
  });
  return stdout + stderr;
}

/** The version of a package that this project has. */
export function installedVersion(name: string): string {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

export function npm(args: string[], cwd = process.cwd()): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
