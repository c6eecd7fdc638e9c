import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { SUBPROTOCOL } from '../../../src/tunnel/wire/limits.js';
import { useBuiltCommand } from '../support/built-command.js';
import { ORIGIN, sleep, startEcho, startUnanswering, until } from '../support/harness.js';
import { attacks } from './attacker/attacks.mjs';
import { OtherPage, RelayProcess } from './victim.js';

const TOKEN = 'a-token-of-pages';
const ATTACK_MS = Number(process.env.ATTACK_MS ?? 1000);
/** Until an attack is under way. */
const BEGINNING_MS = 300;
const MAX_P95_MS = 250;
const MAX_RESIDENT_BYTES = 300 * 2 ** 20;
/** What a relay may hold more than before the attack: it keeps 16 MiB of buffers for messages. V8 gives memory back to the system as it likes. */
const MAX_LEFT = { heapBytes: 24 * 2 ** 20, residentBytes: 128 * 2 ** 20, descriptors: 2 };

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const start = useBuiltCommand();

interface Surroundings {
  targets: Record<string, number>;
  dns: number;
  issuer: number;
}

let surroundings: Surroundings;
let targets: ChildProcess | undefined;
beforeAll(async () => {
  targets = fork(file('targets.mjs'));
  [surroundings] = await once(targets, 'message');
}, 60_000);
afterAll(() => {
  targets?.kill('SIGKILL');
});

const NEED_UNANSWERING = /black-holes|^hoarded/;

/** A target that no rule allows; it counts who reaches it. */
async function startForbidden() {
  let connections = 0;
  const server = createServer(socket => {
    connections++;
    socket.destroy();
  });
  server.listen(0, '::');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return { port: (server.address() as { port: number }).port, connections: () => connections };
}

/** What the issuer has in place of its keys. */
function jwksFor(kind: string, forbidden: number): string {
  const [, set] =
    /^jwt-(slow|many|too-many|endless|dripping|compressed|weak|redirected)-keys$/.exec(kind) ?? [];
  if (set === 'redirected') return `${forbidden}/jwks`;
  return kind === 'jwt-html-for-keys' ? 'html' : (set ?? 'jwks');
}

function flagsFor(kind: string, ports: number[], forbidden: number): string[] {
  const allowed = [...ports.map(port => `127.0.0.0/8:${port}`), `*:${forbidden}`, '*.test:*'];
  const memory = kind === 'hoarded-memory' ? ['--max-buffered-bytes', `${64 * 2 ** 20}`] : [];
  return [
    ...['--listen', '127.0.0.1:0', '--origin', ORIGIN, ...allowed.flatMap(target => ['--allow', target])],
    ...['--dns-server', `127.0.0.1:${surroundings.dns}`, '--trusted-proxy', '127.0.0.9', '--proxy-protocol'],
    ...['--jwt-issuer', 'https://issuer.test', '--jwt-audience', 'relay.test'],
    ...['--jwt-jwks', `http://127.0.0.1:${surroundings.issuer}/${jwksFor(kind, forbidden)}`],
    ...memory,
  ];
}

/** Those from whom the relay takes the word of others, those who need several addresses, and the rest. */
function addressesFor(kind: string): string[] {
  if (/^(?:proxy-headers|addresses-of)/.test(kind)) return ['127.0.0.9'];
  const several = /^(?:silent-(?:connections|websockets)|jwt-)/.test(kind);
  return ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'].slice(0, several ? 4 : 1);
}

const ownAddresses = Object.values(networkInterfaces())
  .flat()
  .map(each => each?.address ?? '')
  .filter(address => !/^(?:127\.|::1$|$)/.test(address));

function p95(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? Number.POSITIVE_INFINITY;
}

const rounded = (value = 0) => value.toFixed(0);
const mebibytes = (bytes: number) => rounded(bytes / 2 ** 20);

const kinds = ['none', ...Object.keys(attacks)].filter(
  kind => !process.env.ATTACK || process.env.ATTACK.split(',').includes(kind),
);

test.each(kinds)(
  'under %s others go on, and all that it took comes back',
  { timeout: 60_000 },
  async kind => {
    const echo = await startEcho();
    const forbidden = await startForbidden();
    const unanswering = NEED_UNANSWERING.test(kind) ? await startUnanswering('0.0.0.0') : 1;
    const ports = { ...surroundings.targets, unanswering };
    const command = start(flagsFor(kind, [echo.port, ...Object.values(ports)], forbidden.port), {
      RELAY_TOKEN: `app:${TOKEN}`,
      NODE_OPTIONS: `--import ${file('memory-report.mjs')}`,
    });
    await until(() => command.output.stdout.includes('listens on'));
    const url = /ws:\S+/.exec(command.output.stdout)?.[0] ?? '';
    const relay = new RelayProcess(command);
    const page = new OtherPage(url, { token: TOKEN, port: echo.port });
    await page.warmUp();
    const before = await relay.holdings();

    const situation = {
      ...{ port: Number(new URL(url).port), subprotocol: SUBPROTOCOL, token: TOKEN },
      ...{ addresses: addressesFor(kind), targets: ports, forbidden: forbidden.port, ownAddresses },
    };
    const attacker = kind === 'none' ? undefined : await attack(kind, situation);
    await sleep(BEGINNING_MS);
    const trips = await page.measure(ATTACK_MS, () => relay.processorMs());
    const during = await relay.descriptors();
    expect(attacker?.exitCode ?? null).toBe(null);
    attacker?.kill('SIGTERM');

    const endedAt = performance.now();
    let left = await relay.holdings();
    const more = () => ({
      heapBytes: left.heapBytes - before.heapBytes,
      residentBytes: left.residentBytes - before.residentBytes,
      descriptors: left.descriptors - before.descriptors,
    });
    const isBack = () =>
      Object.entries(MAX_LEFT).every(([name, limit]) => more()[name as keyof typeof MAX_LEFT] <= limit);
    while (!isBack() && performance.now() - endedAt < 20_000) {
      await sleep(100);
      left = await relay.holdings();
    }
    const backMs = performance.now() - endedAt;
    const peakBytes = await relay.peakBytes();
    const [openP95, newP95, cpuP95] = [trips.openMs, trips.newMs, trips.processorMs].map(p95);
    console.log(
      `${kind.padEnd(31)} p95: open ${rounded(openP95)} ms, new ${rounded(newP95)} ms, CPU of a trip ${rounded(cpuP95)} ms (${trips.newMs.length} trips, ${rounded(100 * trips.busy)} % busy); ` +
        `peak ${mebibytes(peakBytes)} MiB; descriptors ${before.descriptors}, ${during}, ${left.descriptors}; ` +
        `left ${mebibytes(more().heapBytes)} MiB of heap, ${mebibytes(more().residentBytes)} in all, after ${rounded(backMs)} ms`,
    );
    expect(openP95).toBeLessThan(MAX_P95_MS);
    expect(newP95).toBeLessThan(MAX_P95_MS);
    expect(peakBytes).toBeLessThan(MAX_RESIDENT_BYTES);
    expect(more()).toSatisfy(isBack);
    expect(forbidden.connections()).toBe(0);
    expect(relay.faults).toEqual([]);
    expect(command.child.exitCode).toBe(null);
    await page.newMs();
  },
);

async function attack(kind: string, situation: object): Promise<ChildProcess> {
  const child = fork(file('attacker.mjs'), [kind, JSON.stringify(situation)]);
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child, 'message');
  return child;
}
