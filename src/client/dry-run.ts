import type { Environment } from '../engine/wasi.js';
import type { createFetch } from '../fetch/fetch.js';
import type { Cookies } from '../http/cookies/cookies.js';
import type { HttpEngine } from '../http/http-engine.js';
import type { PlaintextStream } from '../http/plaintext-stream.js';
import type { Pool } from '../http/pool/pool.js';
import type { TlsConnection } from '../tls/tls-connection.js';
import type { TlsEngine } from '../tls/tls-engine.js';
import type { TlsInfo } from '../tls/types.js';
import type { TunnelStream } from '../tunnel/tunnel.js';
import { transcript } from './dry-run-transcript.js';

/** What a request is made with: given, because bundlers would put a part that imports what loads it into every application. */
export interface Works {
  HttpEngine: typeof HttpEngine;
  TlsEngine: typeof TlsEngine;
  TlsConnection: typeof TlsConnection;
  Pool: typeof Pool;
  Cookies: typeof Cookies;
  createFetch: typeof createFetch;
}

/** Servers that do not exist: names that no DNS has (RFC 6761 section 6.4). */
export const H2_HOST = 'h2.invalid';
const H1_HOST = 'h1.invalid';
const H1_RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok';

/**
 * Makes a request over TLS 1.3 and HTTP/2, and one over HTTP/1.1, as `client.fetch` does, to servers that do not exist: what they say is
 * recorded. It is said piece by piece while the page is idle; after an abort nothing more is. Nothing leaves the page, and what is
 * made for it (engine instances, a pool) is used for nothing else.
 */
export async function dryRun(
  works: Works,
  module: WebAssembly.Module,
  signal: AbortSignal,
): Promise<string[]> {
  const { anchor, atMs, handshake, response } = transcript;
  const http = await works.HttpEngine.create(module);
  const settings = { anchors: [bytesOf(anchor)], environment: fixedEnvironment(atMs) };
  const tls = await works.TlsEngine.create(module, settings, Promise.resolve(http.records));
  const pool = new works.Pool(
    http,
    async ({ hostname }, _, alpn) => {
      const pieces = [handshake, response].map(bytesOf);
      if (hostname === H2_HOST) return dialDry(works, tls, { stream: recorded(pieces, signal), alpn });
      return { ...recorded([latin1(H1_RESPONSE)], signal), info: infoOf() };
    },
    { pingIntervalMs: 0 },
  );
  const fetch = works.createFetch(pool, new works.Cookies());
  const texts: string[] = [];
  for (const host of [H2_HOST, H1_HOST]) texts.push(await (await fetch(`https://${host}/`)).text());
  pool.destroy();
  return texts;
}

/** A connection of the dry run. */
export async function dialDry(
  { TlsConnection }: Pick<Works, 'TlsConnection'>,
  tls: TlsEngine,
  { stream, alpn }: { stream: TunnelStream; alpn: readonly string[] },
): Promise<PlaintextStream> {
  const options = { hostname: H2_HOST, partition: '', alpn, authenticate: async () => undefined };
  const connection = await TlsConnection.connect(tls, stream, options);
  const { readable, writable, info } = connection;
  return { readable, writable, channel: connection, info: infoOf(info) };
}

/**
 * The same bytes in place of random ones, so that the recorded handshake fits: good for a conversation with nobody.
 *
 * @param nowMs the time, when its certificates are valid
 */
export function fixedEnvironment(nowMs: number): Environment {
  return { fillRandom: bytes => void bytes.fill(7), now: () => nowMs };
}

/** Says what is recorded, a piece in each idle time in which somebody listens, and takes everything. */
function recorded(pieces: Uint8Array[], signal: AbortSignal): TunnelStream {
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = pieces.shift();
        await idle(signal);
        // The end would be a failure of the connection.
        if (piece) controller.enqueue(piece);
        else await new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return { readable, writable: new WritableStream() };
}

/** Never, after an abort: an error would have to be dealt with, just when there is something else to do. */
function idle(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const wait = globalThis.requestIdleCallback ?? setTimeout;
    wait(() => {
      if (!signal.aborted) resolve();
    });
  });
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return latin1(atob(base64));
}

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, character => character.charCodeAt(0));
}

const plainInfo: TlsInfo = {
  version: 'TLSv1.3',
  alpn: 'http/1.1',
  cipherSuite: '',
  keyExchange: '',
  serverChain: [],
  clientCertificateRequested: false,
  clientCertificateSent: false,
  resumed: false,
};

function infoOf(info: TlsInfo = plainInfo): PlaintextStream['info'] {
  const timings = { tunnelMs: 0, handshakeMs: 0 };
  return { ...info, connectionId: 0, timings, bytesSent: 0, bytesReceived: 0 };
}
