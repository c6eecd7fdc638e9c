import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { npm, packPackage } from '../support/tarball.js';

const HERE = 'test/bundlers';

/** A folder with all bundlers installed, and the packed package. */
export interface Workspace {
  /** A project of its own, with the package installed, the common files and those of `apps/NAME`. */
  makeApp(name: string, app?: { from?: string; files?: Record<string, string>; hoisted?: boolean }): App;
  remove(): void;
}

export interface App {
  folder: string;
  /** A path in the folder. */
  path(...parts: string[]): string;
  /** The entry file of an installed program. */
  program(file: string): string;
  /** Runs a program to its end, with Node. */
  run(file: string, args?: string[]): void;
}

/**
 * Installs what test/bundlers/package-lock.json names into a temporary folder. The environment's BUNDLERS_FOLDER, if set, is a folder
 * that is kept, so that the next run need not install again.
 */
export function makeWorkspace(): Workspace {
  const kept = process.env.BUNDLERS_FOLDER;
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'mtls-bundlers-'));
  for (const name of ['package.json', 'package-lock.json', '.npmrc'])
    cpSync(join(HERE, name), join(folder, name));
  if (!existsSync(join(folder, 'node_modules')))
    npm(['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], folder);
  const tarball = packPackage();
  const unpack = (modules: string) => {
    mkdirSync(join(modules, 'browser-mtls'), { recursive: true });
    const args = ['-xzf', tarball.path, '-C', join(modules, 'browser-mtls'), '--strip-components=1'];
    execFileSync('tar', args);
  };

  return {
    makeApp(name, { from = name, files = {}, hoisted = false } = {}) {
      const parent = join(folder, 'apps', name);
      rmSync(parent, { recursive: true, force: true });
      // Above the application, as in a monorepo, or within it.
      const app = hoisted ? join(parent, 'packages', 'app') : parent;
      unpack(join(parent, 'node_modules'));
      cpSync(join(HERE, 'apps/common'), app, { recursive: true });
      if (existsSync(join(HERE, 'apps', from))) cpSync(join(HERE, 'apps', from), app, { recursive: true });
      const manifest = { 'package.json': '{ "private": true, "type": "module" }\n' };
      if (hoisted)
        writeFileSync(join(parent, 'package.json'), '{ "private": true, "workspaces": ["packages/*"] }\n');
      for (const [path, text] of Object.entries({ ...manifest, ...files })) write(join(app, path), text);
      return {
        folder: app,
        path: (...parts) => join(app, ...parts),
        program: file => join(folder, 'node_modules', file),
        run: (file, args = []) =>
          run(existsSync(join(app, file)) ? file : join(folder, 'node_modules', file), args, app),
      };
    },
    remove() {
      tarball.remove();
      rmSync(kept === undefined ? folder : join(folder, 'apps'), { recursive: true, force: true });
    },
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function run(file: string, args: string[], cwd: string): void {
  const env = {
    ...process.env,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    NG_CLI_ANALYTICS: 'false',
    CI: '1',
  };
  try {
    execFileSync(process.execPath, [file, ...args], {
      cwd,
      env,
      stdio: 'pipe',
      encoding: 'utf8',
      timeout: 500_000,
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${file} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
}

/** What docs/embedding.md says of a tool: the cell of its table, and the lines in it. */
export function documentedRow(tool: string): { text: string; lines: string[] } {
  const rows = readFileSync('docs/embedding.md', 'utf8').matchAll(
    /^\| (?<tool>[^|]+?) \| (?<text>.+?) \|$/gm,
  );
  const found = [...rows].filter(({ groups }) => groups?.tool === tool);
  const text = found[0]?.groups?.text;
  if (text === undefined || found.length > 1)
    throw new Error(`docs/embedding.md has ${found.length} rows for ${tool}`);
  return { text, lines: [...text.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line) };
}
