import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import { type Faults, type Path, startFaultProxy } from '../support/fault-proxy/start.mjs';
import { type NodeServer, patternOf, sha256, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const BYTES = 300_000;
const AT_ONCE = 6;
const expected = sha256(patternOf(BYTES));

const pki = new OpensslPki('Test CA');
let pages: UserPages;
let relay: Relay;
let target: NodeServer;
let path: Awaited<ReturnType<typeof startFaultProxy>>;

beforeAll(async () => {
  pages = await startUserPages();
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  target = await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2: true });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${target.port}`], origins: [pages.origin] });
  path = await startFaultProxy(Number(new URL(relay.url).port));
});

afterAll(async () => {
  await path?.stop();
  await relay?.close();
  await target?.stop();
  await pages?.stop();
  pki.close();
});

const both = (faults: Faults): Path => ({ toServer: faults, toClient: faults });

inEachEngine(
  () => pages.origin,
  browser => {
    /** Downloads and uploads at once, on one WebSocket: the SHA-256 of what came, or a code. */
    const outcomes = async (faults: Path) => {
      await path.set(faults);
      return browser.run(
        async ({ tunnel, anchor, origin, bytes, count }) => {
          const tunnelOptions = { keepAliveIntervalMs: 1_000, keepAliveTimeoutMs: 1_000 };
          const trust = { anchors: [anchor] };
          const client = await globalThis.library.createClient({ tunnel, tunnelOptions, trust });
          const down = async () => {
            const response = await client.fetch(`${origin}/bytes?size=${bytes}`);
            const sum = await crypto.subtle.digest('SHA-256', await response.arrayBuffer());
            return Array.from(new Uint8Array(sum), byte => byte.toString(16).padStart(2, '0')).join('');
          };
          const up = async () => {
            const body = Uint8Array.from({ length: bytes }, (_, index) => (index & 0xffff) % 251);
            const response = await client.fetch(`${origin}/sum`, { method: 'POST', body });
            return ((await response.json()) as { sha256: string }).sha256;
          };
          const told = (error: { code?: string }) => error.code ?? String(error);
          const all = Array.from({ length: count }, (_, index) => (index % 2 ? up : down)().catch(told));
          const results = await Promise.all(all);
          await client.close();
          return results;
        },
        {
          tunnel: `ws://127.0.0.1:${path.port}/`,
          anchor: pki.ca.cert,
          origin: `https://localhost:${target.port}`,
          bytes: BYTES,
          count: AT_ONCE,
        },
      );
    };

    test.each<[string, Faults]>([
      ['jitter', { delayMs: 10, jitterMs: 30 }],
      ['loss', { delayMs: 5, lossRate: 0.02, recoveryMs: 50 }],
      ['pieces of 50 bytes', { pieceBytes: 50 }],
    ])('%s on the way to the relay changes no byte', async (_name, faults) => {
      expect(await outcomes(both(faults))).toEqual(Array(AT_ONCE).fill(expected));
    });

    test.each(['fin', 'rst'] as const)('a cut by %s fails the transfers that it meets', async how => {
      for (const afterBytes of [5_000, 50_000, 400_000]) {
        for (const direction of ['toServer', 'toClient']) {
          const results = await outcomes({ [direction]: { cut: { afterBytes, how } } });
          const others = results.filter(it => it !== expected && it !== 'ERR_TUNNEL_CLOSED');
          expect(others).toEqual([]);
          expect(results).toContain('ERR_TUNNEL_CLOSED');
        }
      }
    });

    test('a way to the relay that falls silent is told by ERR_TUNNEL_CLOSED', async () => {
      const results = await outcomes({ toClient: { silentAfterBytes: 100_000 } });
      expect(new Set(results)).toEqual(new Set(['ERR_TUNNEL_CLOSED']));
    });
  },
);
