import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { createWebSocketTunnel } from '../../../src/tunnel/websocket-tunnel.js';
import { encodeData, encodeHello, encodeOpen } from '../../../src/tunnel/wire/frames.js';
import { SUBPROTOCOL } from '../../../src/tunnel/wire/limits.js';
import { useBuiltCommand } from '../support/built-command.js';
import { connect, ORIGIN, pageWebSocket, readAll, sleep, startEcho, until } from '../support/harness.js';
import { HELLO } from '../support/test-page.js';

const TOKEN = 'a-token-of-pages';
const GUESS = 'a-guess-of-tokens';
const attacker = fileURLToPath(new URL('attacker.mjs', import.meta.url));
const ATTACK_MS = Number(process.env.ATTACK_MS ?? 6000);
const MAX_P95_MS = 250;
const MAX_RESIDENT_BYTES = 300 * 1024 * 1024;

const start = useBuiltCommand();
const attackers: ChildProcess[] = [];
afterAll(() => {
  for (const child of attackers) child.kill('SIGKILL');
});

const hex = (message: Uint8Array) => Buffer.from(message).toString('hex');
const hello = (port: number, token: string) =>
  [encodeHello({ ...HELLO, token }), encodeOpen({ stream: 1, hostname: '127.0.0.1', port })].map(hex);

async function statusOf(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * 1024;
}

function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.POSITIVE_INFINITY;
}

const one = Uint8Array.of(1);

/** A page of another address: round trips on a stream that is open, and on new WebSockets. */
async function measure(url: string, port: number) {
  const createTunnel = () => createWebSocketTunnel(url, { token: TOKEN, WebSocket: pageWebSocket() });
  // On a WebSocket of its own: admission is what many attacks are about.
  const roundTrip = async () => {
    const startedAt = performance.now();
    const tunnel = createTunnel();
    const { reader, writer } = await connect(tunnel, port);
    await writer.write(one);
    expect((await reader.read()).value).toEqual(one);
    await writer.close();
    await readAll(reader);
    tunnel.close();
    return performance.now() - startedAt;
  };
  const { reader, writer } = await connect(createTunnel(), port);
  const openMs: number[] = [];
  const newMs: number[] = [];
  const endsAt = Date.now() + ATTACK_MS;
  while (Date.now() < endsAt) {
    const startedAt = performance.now();
    await writer.write(one);
    await reader.read();
    openMs.push(performance.now() - startedAt);
    newMs.push(await roundTrip());
    await sleep(5);
  }
  return { openMs, newMs };
}

const kinds = [
  'none',
  'fragments',
  'fragments-of-binary',
  'segments',
  'segments-after-hello',
  'foreign-origins',
  'foreign-origins-at-once',
  'silent-websockets',
  'silent-connections',
  'pongs',
  'pongs-after-hello',
  'small-data',
  'guesses',
].filter(kind => !process.env.ATTACK || process.env.ATTACK.split(',').includes(kind));

test.each(kinds)('under %s others go on, and memory stays', { timeout: 60_000 }, async kind => {
  const echo = await startEcho();
  const flags = ['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${echo.port}`, '--origin', ORIGIN];
  const command = start(flags, { RELAY_TOKEN: `app:${TOKEN}` });
  await until(() => command.output.stdout.includes('listens on'));
  const url = /ws:\S+/.exec(command.output.stdout)?.[0] ?? '';
  const port = Number(new URL(url).port);
  const pid = command.child.pid ?? 0;
  const token = kind === 'guesses' ? GUESS : TOKEN;
  const options = {
    ...{ kind, port, hello: hello(echo.port, token) },
    addresses: ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'].slice(
      0,
      kind.startsWith('silent') ? 4 : 1,
    ),
  };
  if (kind !== 'none') {
    const data = hex(encodeData(1, one));
    const child = spawn(process.execPath, [attacker, JSON.stringify(options), SUBPROTOCOL, data], {
      stdio: 'inherit',
    });
    attackers.push(child);
    await sleep(1000);
  }
  const { openMs, newMs } = await measure(url, echo.port);
  const peakBytes = await statusOf(pid, 'VmHWM');
  const [openP95, newP95] = [percentile(openMs, 0.95), percentile(newMs, 0.95)];
  const cpu = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ').slice(13, 15).map(Number);
  console.log(
    `${kind.padEnd(24)} open p95 ${openP95.toFixed(1)} ms, new p95 ${newP95.toFixed(1)} ms (max ${Math.max(...newMs).toFixed(0)}), ${newMs.length} trips, peak ${(peakBytes / 2 ** 20).toFixed(0)} MiB, CPU ${((cpu[0] ?? 0) + (cpu[1] ?? 0)) / 100} s`,
  );
  const last = attackers.pop();
  if (last) {
    last.kill('SIGKILL');
    await once(last, 'close');
  }
  expect(openP95).toBeLessThan(MAX_P95_MS);
  expect(newP95).toBeLessThan(MAX_P95_MS);
  expect(peakBytes).toBeLessThan(MAX_RESIDENT_BYTES);
});
