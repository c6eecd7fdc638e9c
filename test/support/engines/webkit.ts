import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { webkitBrowser } from '../../setup/machine.mjs';
import { freePort } from '../process.js';
import { type BrowserEngine, callOf } from './engine.js';

const START_TIMEOUT_MS = 20_000;
const SCRIPT_TIMEOUT_MS = 300_000;

/** WebKitGTK's MiniBrowser on a display of its own, by plain WebDriver (W3C). */
export async function openWebKit(): Promise<BrowserEngine> {
  const home = mkdtempSync(join(tmpdir(), 'mtls-webkit-'));
  const display = await startDisplay();
  const port = await freePort();
  const driver = spawn('WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
    stdio: 'ignore',
    env: {
      ...process.env,
      DISPLAY: display.name,
      HOME: home,
      XDG_DATA_HOME: join(home, 'data'),
      XDG_CACHE_HOME: join(home, 'cache'),
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_RUNTIME_DIR: home,
      GDK_BACKEND: 'x11',
      LIBGL_ALWAYS_SOFTWARE: '1',
      // Written long after the browser has ended, into a folder that is being removed.
      MESA_SHADER_CACHE_DISABLE: 'true',
      NO_AT_BRIDGE: '1',
    },
  });
  const stop = async () => {
    await end(driver);
    await end(display.server);
    // The browser's own processes may still be writing for a moment.
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    const base = `http://127.0.0.1:${port}`;
    await ready(base);
    return await openSession(base, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openSession(base: string, stop: () => Promise<void>): Promise<BrowserEngine> {
  const browser = { binary: webkitBrowser(), args: ['--automation'] };
  const alwaysMatch = { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': browser };
  const { sessionId, capabilities } = (await command(base, 'POST', '/session', {
    capabilities: { alwaysMatch },
  })) as { sessionId: string; capabilities: { browserVersion: string } };
  const session = `${base}/session/${sessionId}`;
  await command(session, 'POST', '/timeouts', { script: SCRIPT_TIMEOUT_MS, pageLoad: 60_000 });
  return {
    name: `WebKitGTK ${capabilities.browserVersion}`,
    open: async url => {
      await command(session, 'POST', '/url', { url });
    },
    reload: async () => {
      await command(session, 'POST', '/refresh', {});
    },
    async run(act, ...args) {
      const script = `const done = arguments[0];
        Promise.resolve().then(() => ${callOf(act, args)}).then(
          value => done({ value }),
          error => done({ error: String(error) + '\\n' + error?.stack }));`;
      const outcome = await command(session, 'POST', '/execute/async', { script, args: [] });
      const { value, error } = outcome as { value: never; error?: string };
      if (error !== undefined) throw new Error(error);
      return value;
    },
    async close() {
      await command(session, 'DELETE', '', undefined).catch(() => {});
      await stop();
    },
  };
}

/** What each command gives is in the WebDriver standard. */
async function command(base: string, method: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: unknown };
  if (response.ok) return value;
  const { error, message } = value as { error?: string; message?: string };
  throw new Error(`WebDriver ${path}: ${error}: ${message}`);
}

async function ready(base: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return void (await command(base, 'GET', '/status', undefined));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(50);
    }
  }
}

async function startDisplay(): Promise<{ name: string; server: ChildProcess }> {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const numbers = server.stdio[3];
  if (!numbers) throw new Error('no pipe to Xvfb');
  const [number] = await Promise.race([
    once(numbers, 'data'),
    once(server, 'exit').then(() => Promise.reject(new Error('Xvfb ended'))),
  ]);
  return { name: `:${String(number).trim()}`, server };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await over;
  clearTimeout(timer);
}
