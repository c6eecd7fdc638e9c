import { spawn } from 'node:child_process';

/** Groups of processes that run now, by the id of their leader. */
const running = new Set();

/**
 * Runs a command with its output on ours; resolves when it has ended, `ok` when its exit code was 0. After `timeoutMs` it is
 * killed with everything that it started.
 * @param {string[]} command
 * @param {{ timeoutMs: number, capture?: boolean, heldAs?: string, env?: Record<string, string> }} options `capture` keeps what it
 *   prints as `output` too; `heldAs` prints all of it at the end below this heading, because other commands print meanwhile
 */
export async function runCommand([file, ...args], { timeoutMs, capture = false, heldAs, env = {} }) {
  const held = heldAs !== undefined;
  const child = spawn(file, args, {
    // A group of its own, so that a step that hangs can be ended with its children.
    detached: true,
    stdio: ['ignore', capture || held ? 'pipe' : 'inherit', held ? 'pipe' : 'inherit'],
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', text => {
      output += text;
      if (!held) process.stdout.write(text);
    });
  }
  if (child.pid) running.add(child.pid);
  const timer = setTimeout(() => {
    console.error(`${file} ${args.join(' ')}: ended after ${Math.round(timeoutMs / 1000)} s`);
    stopGroup(child.pid);
  }, timeoutMs);
  const ok = await new Promise(resolve => {
    child.once('error', error => {
      console.error(`${file}: ${error.message}`);
      resolve(false);
    });
    child.once('close', code => resolve(code === 0));
  });
  clearTimeout(timer);
  if (held) process.stdout.write(`\n=== ${heldAs}\n${output}`);
  running.delete(child.pid);
  return { ok, output };
}

export function stopAll() {
  for (const pid of running) stopGroup(pid);
}

function stopGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
