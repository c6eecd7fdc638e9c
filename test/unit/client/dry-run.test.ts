import { writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { dialDry, dryRun, fixedEnvironment, H2_HOST } from '../../../src/client/dry-run.js';
import { transcript } from '../../../src/client/dry-run-transcript.js';
import { createFetch } from '../../../src/fetch/fetch.js';
import { Cookies } from '../../../src/http/cookies/cookies.js';
import { HttpEngine } from '../../../src/http/http-engine.js';
import { Pool } from '../../../src/http/pool/pool.js';
import { TlsConnection } from '../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../src/tls/tls-engine.js';
import { concatenated } from '../../../src/util/bytes.js';
import { toBase64 } from '../../../src/util/encoding.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, OpensslPki } from '../../support/openssl-pki.js';
import { dialTcp } from '../../support/tcp-tunnel.js';

const works = { HttpEngine, TlsEngine, TlsConnection, Pool, Cookies, createFetch };
const TRANSCRIPT = 'src/client/dry-run-transcript.ts';
const COMMAND = `RECORD_DRY_RUN=1 npx vitest run --project unit test/unit/client/dry-run.test.ts`;

afterEach(() => void vi.unstubAllGlobals());

/** What the server says until the client has said all of its handshake, and after that. */
async function record(): Promise<typeof transcript> {
  const pki = new OpensslPki('Nobody');
  const pair = pki.issue({ subject: `/CN=${H2_HOST}`, altNames: `DNS:${H2_HOST}` });
  const server = createSecureServer(pair, (_, response) => response.end('ok'));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { readable, writable } = dialTcp((server.address() as AddressInfo).port);
  const heard: [handshake: Uint8Array[], response: Uint8Array[]] = [[], []];
  let writes = 0;
  const hear = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      heard[writes > 1 ? 1 : 0].push(chunk);
      controller.enqueue(chunk);
    },
  });
  const say = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      writes++;
      controller.enqueue(chunk);
    },
  });
  say.readable.pipeTo(writable).catch(() => {});
  const atMs = Date.now();
  const anchor = certificateDer(pki.ca.cert);
  const http = await HttpEngine.create(engineModule());
  const settings = { anchors: [anchor], environment: fixedEnvironment(atMs) };
  const tls = await TlsEngine.create(engineModule(), settings, Promise.resolve(http.records));
  const stream = { readable: readable.pipeThrough(hear), writable: say.writable };
  const pool = new Pool(http, async (_origin, _signal, alpn) => dialDry(works, tls, { stream, alpn }));
  const response = await createFetch(pool, new Cookies())(`https://${H2_HOST}/`);
  expect(await response.text()).toBe('ok');
  pool.destroy();
  server.close();
  pki.close();
  const [handshake, rest] = heard.map(pieces => toBase64(concatenated(pieces))) as [string, string];
  return { atMs, anchor: toBase64(anchor), handshake, response: rest };
}

function sourceOf({ atMs, anchor, handshake, response }: typeof transcript): string {
  return `/**
 * What a server said to a client with \`fixedEnvironment\`, in base64: its certificate authority, its part of the handshake, and all
 * behind that. Recorded by
 * \`${COMMAND}\`
 */
export const transcript = {
  atMs: ${atMs},
  anchor: '${anchor}',
  handshake: '${handshake}',
  response: '${response}',
};
`;
}

it.runIf(process.env.RECORD_DRY_RUN)('is recorded', async () => {
  Object.assign(transcript, await record());
  writeFileSync(TRANSCRIPT, sourceOf(transcript));
});

it(`has the servers' answers: if not, the engine has changed, and ${COMMAND} records anew`, async () => {
  expect(await dryRun(works, engineModule(), new AbortController().signal)).toEqual(['ok', 'ok']);
});

it('waits for idle times, and goes no further after an abort', async () => {
  const waiting: (() => void)[] = [];
  vi.stubGlobal('requestIdleCallback', (run: () => void) => waiting.push(run));
  const controller = new AbortController();
  let over = false;
  void dryRun(works, engineModule(), controller.signal).finally(() => {
    over = true;
  });
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  waiting.shift()?.();
  await vi.waitFor(() => expect(waiting).toHaveLength(1));
  controller.abort();
  waiting.shift()?.();
  await new Promise(resolve => setTimeout(resolve, 100));
  expect([waiting.length, over]).toEqual([0, false]);
});
