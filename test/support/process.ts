import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const STOP_TIMEOUT_MS = 5_000;
const running = new Set<ChildProcess>();

// What a test forgets, or a failed set-up leaves, does not outlive the test run.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program that runs while a test does. */
export interface RunningProgram {
  pid: number;
  /** All that it has printed so far. */
  output(): string;
  /** Its exit code, when it has ended. */
  exitCode(): number | null;
  /** Writes to its standard input; only with the option `stdin`. */
  say(text: string): void;
  /** Resolves with the match as soon as the output has one; rejects when the program ends, or after `timeoutMs` (default 15,000). */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Resolves when connections to all these ports of the loopback address are taken; rejects when it ends, or after a minute. */
  listensOn(ports: number[]): Promise<void>;
  /** Ends it with the signal (default SIGTERM), or by force when that takes too long; resolves with its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface ProgramOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Whether signals go to all that it starts as well, as those of a terminal do. Default false. */
  group?: boolean;
  /** Whether it has a standard input, which stays open. Default false. */
  stdin?: boolean;
}

export function startProgram(file: string, args: string[], options: ProgramOptions = {}): RunningProgram {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: options.group ?? false,
    stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error(`${file}: no output`);
  running.add(child);
  let output = '';
  const append = (text: string) => {
    output += text;
  };
  stdout.setEncoding('utf8').on('data', append);
  stderr.setEncoding('utf8').on('data', append);
  // What it does not read any more, its output or its end tells.
  stdin?.on('error', () => {});
  child.on('error', error => append(`${file}: ${error.message}\n`));
  const ended = new Promise<void>(resolve => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  }).then(() => running.delete(child));
  const hasEnded = () => !running.has(child);
  const send = (signal: NodeJS.Signals) => {
    if (hasEnded() || child.pid === undefined) return;
    if (options.group) process.kill(-child.pid, signal);
    else child.kill(signal);
  };

  return {
    pid: child.pid ?? 0,
    output: () => output,
    exitCode: () => child.exitCode,
    say(text) {
      if (!stdin) throw new Error(`${file} has no standard input`);
      stdin.write(text);
    },
    async waitFor(pattern, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const match = pattern.exec(output);
        if (match) return match;
        if (hasEnded() || Date.now() > deadline) {
          throw new Error(
            `${file} ${hasEnded() ? 'ended' : 'did not say'} ${pattern}; it printed:\n${output}`,
          );
        }
        await delay(20);
      }
    },
    async listensOn(ports) {
      const deadline = Date.now() + 60_000;
      for (const port of ports) {
        while (!(await isListenedOn(port))) {
          if (hasEnded() || Date.now() > deadline)
            throw new Error(`${file} does not listen on port ${port}; it printed:\n${output}`);
          await delay(20);
        }
      }
    },
    async stop(signal = 'SIGTERM') {
      send(signal);
      const timer = setTimeout(() => send('SIGKILL'), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
      return child.exitCode;
    },
  };
}

/** A TCP port of the loopback address that is free now, outside of the range from which the system takes those of connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer();
    const free = await new Promise<boolean>(resolve => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

function isListenedOn(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
