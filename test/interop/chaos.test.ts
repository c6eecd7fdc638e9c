import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient, type MtlsClient } from '../../src/index.js';
import { identityOf } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { startFaultProxy } from '../support/fault-proxy/start.mjs';
import { type NodeServer, patternOf, sha256, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { freePort, type RunningProgram, startProgram } from '../support/process.js';

/** 20, or 200 by `npm run chaos`. */
const TRANSFERS = Number(process.env.CHAOS_TRANSFERS ?? 20);
const SIZES = [1_000, 60_000, 300_000, 2_000_000];
const AT_ONCE = 10;
const KILLS = TRANSFERS / 10;
/** How long a relay lives. The origins are known, so that what may be repeated waits for the next one. */
const LIFE_MS = 600;
/** Slow enough for a transfer to be met by a relay's end, on a fast machine too. */
const BYTES_PER_SECOND = 6_000_000;

const pki = new OpensslPki('Test CA');
const alice = pki.issue({ subject: '/CN=Alice', usage: 'clientAuth' });
const targets: NodeServer[] = [];
let port: number;
let relay: RunningProgram;
let path: Awaited<ReturnType<typeof startFaultProxy>>;
let client: MtlsClient;

beforeAll(async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false])
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, http2 }));
  port = await freePort();
  await startRelay();
  const slow = { bytesPerSecond: BYTES_PER_SECOND, queueBytes: 65_536 };
  path = await startFaultProxy(port, { toServer: slow, toClient: slow });
  client = await createClient({
    tunnel: `ws://127.0.0.1:${path.port}/`,
    identities: [await identityOf(alice)],
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
});

afterAll(async () => {
  await client?.close();
  await path?.stop();
  await relay?.stop();
  for (const target of targets) await target.stop();
  pki.close();
});

async function startRelay(): Promise<void> {
  relay = startProgram(process.execPath, [
    'relay/dist/cli.js',
    ...['--listen', `127.0.0.1:${port}`, '--origin', '*'],
    ...targets.flatMap(target => ['--allow', `localhost:${target.port}`]),
  ]);
  await relay.listensOn([port]);
}

/** `whole`, a code, or what must not be. */
async function transfer(number: number): Promise<string> {
  const origin = `https://localhost:${targets[number % 2]?.port}`;
  const size = SIZES[Math.floor(number / 4) % SIZES.length] ?? 0;
  const expected = sha256(patternOf(size));
  const down = async () => {
    const response = await client.fetch(`${origin}/bytes?size=${size}`);
    return sha256(new Uint8Array(await response.arrayBuffer()));
  };
  const up = async () => {
    const response = await client.fetch(`${origin}/sum`, { method: 'POST', body: patternOf(size) });
    return ((await response.json()) as { sha256: string }).sha256;
  };
  try {
    const sum = await (number % 4 < 2 ? down() : up());
    return sum === expected ? 'whole' : 'other bytes';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** A transfer that finds no relay has sent nothing, and is tried again. */
async function begun(number: number): Promise<string> {
  for (;;) {
    const outcome = await transfer(number);
    if (outcome !== 'ERR_TUNNEL_UNREACHABLE') return outcome;
    await delay(100);
  }
}

const name = `${TRANSFERS} transfers through a relay that is killed again and again are whole or fail by ERR_TUNNEL_CLOSED`;
test(name, { timeout: 180_000 }, async () => {
  for (const target of targets) await (await client.fetch(`https://localhost:${target.port}/`)).text();
  const counts: Record<string, number> = {};
  let next = 0;
  let lanes = AT_ONCE;
  const lane = async () => {
    while (next < TRANSFERS) {
      const outcome = await begun(next++);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
    lanes--;
  };
  const all = Array.from({ length: AT_ONCE }, lane);
  let kills = 0;
  for (; lanes > 0 && kills < KILLS; kills++) {
    await delay(LIFE_MS);
    await relay.stop('SIGKILL');
    await startRelay();
  }
  await Promise.all(all);
  console.log(`${kills} kills:`, counts);
  const { whole = 0, ERR_TUNNEL_CLOSED: closed = 0, ...others } = counts;
  expect(others).toEqual({});
  expect(whole + closed).toBe(TRANSFERS);
  expect(whole).toBeGreaterThan(0);
  expect(closed).toBeGreaterThan(0);
});
