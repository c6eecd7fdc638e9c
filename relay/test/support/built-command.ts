import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

const relayFolder = fileURLToPath(new URL('../../', import.meta.url));

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

export type StartCommand = (
  args: string[],
  environment?: Record<string, string>,
  surroundings?: { descriptors?: number; stdout?: string },
) => RunningCommand;

/** Builds the relay for the tests of a file; the function it returns starts its command as a process. */
export function useBuiltCommand(): StartCommand {
  // At the depth of `dist`, from which the command finds package.json.
  const outDir = `${relayFolder}.test-${process.pid}`;
  beforeAll(async () => {
    await build({
      configFile: `${relayFolder}vite.config.ts`,
      logLevel: 'warn',
      build: { outDir, emptyOutDir: true },
    });
  }, 30_000);
  afterAll(() => rm(outDir, { recursive: true, force: true }));
  return (args, environment = {}, { descriptors, stdout } = {}) => {
    const command = [process.execPath, `${outDir}/cli.js`, ...args];
    const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `;
    const redirection = stdout === undefined ? '' : ` > ${stdout}`;
    const inShell = ['sh', '-c', `${limit}exec "$@"${redirection}`, 'sh', ...command];
    return start(limit || redirection ? inShell : command, environment);
  };
}

function start([program = '', ...args]: string[], environment: Record<string, string>): RunningCommand {
  const child = spawn(program, args, { env: { ...process.env, ...environment } });
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
