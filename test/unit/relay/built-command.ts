import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCommand {
  child: ChildProcess;
  /** All that it has printed until now. */
  output: { stdout: string; stderr: string };
  ended: Promise<Output>;
}

export type StartCommand = (args: string[], environment?: Record<string, string>) => RunningCommand;

/** Builds the relay's command for the tests of a file; the function it returns starts it as a process. */
export function useBuiltCommand(): StartCommand {
  // At this depth it finds package.json where the published file does.
  const name = `relay-cli-${process.pid}.mjs`;
  const outDir = `${root}test/.tmp`;
  beforeAll(async () => {
    await build({
      root,
      configFile: false,
      logLevel: 'warn',
      build: {
        ssr: 'src/relay/cli.ts',
        target: 'node20',
        outDir,
        emptyOutDir: false,
        rolldownOptions: { output: { entryFileNames: name } },
      },
    });
  }, 30_000);
  afterAll(() => rm(`${outDir}/${name}`, { force: true }));
  return (args, environment = {}) => start([`${outDir}/${name}`, ...args], environment);
}

function start(args: string[], environment: Record<string, string>): RunningCommand {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...environment } });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', chunk => {
    output.stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    output.stderr += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...output }));
  return { child, output, ended };
}
