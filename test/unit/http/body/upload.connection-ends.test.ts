import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient, type MtlsClient } from '../../../../src/index.js';
import { type Attack, attacked, secretsOf } from '../../../support/attacked-tunnel.js';
import { engineModule } from '../../../support/engine.js';
import { type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { type AttackedSuite, suites } from '../../../support/server-records.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

const ALERT = 21;
const DATA = 23;
const KIB = 1024;

let pki: OpensslPki;
let pair: KeyPair;
let sockets: Set<Socket>;
let server: Server;
let client: MtlsClient;

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});
afterEach(async () => {
  await client.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});
afterAll(() => pki.close());

/** What the server does when it has some of the body; after that it reads no more. */
type Reaction = (response: Responder) => void;

interface Responder {
  /** Says something that is no answer. */
  cue(): void;
  /** Answers, in part or in whole. */
  answer(status: number, text: string, whole?: boolean): void;
  socket: Socket;
}

type Protocol = 'h2' | 'http/1.1';
/** What only the cue has in it. */
const CUE = 'cue-cue-';

interface Scene {
  protocol: Protocol;
  suite: AttackedSuite;
  react: Reaction;
  /** What the tunnel puts behind a record of the server's that has `behind` in it. */
  attack?: { behind: string; with: Attack };
}

/** An upload without end to a server that reacts to its beginning. */
async function upload({ protocol, suite, react, attack }: Scene) {
  const { version } = suites[suite];
  const options = { ...pair, ciphers: suite, minVersion: version, maxVersion: version } as const;
  server = (protocol === 'h2' ? h2Server(options, react) : h1Server(options, react)) as unknown as Server;
  sockets = new Set();
  server.on('connection', socket => sockets.add(socket.on('error', () => {})));
  const secrets = secretsOf(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const cue = ({ type, content }: { type: number; content: Buffer }) =>
    attack !== undefined && type === DATA && content.includes(attack.behind);
  const connect = async () =>
    attacked(dialTcp(port), secrets, { suite, cue, attack: attack?.with ?? (() => []) });
  client = await createClient({
    tunnel: { connect },
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
  });
  const { body, cancelled } = endless();
  return { cancelled, response: client.fetch(`https://localhost:${port}/`, { method: 'POST', body }) };
}

/** A body without end, and what it is cancelled with. */
function endless() {
  let cancel: (reason: unknown) => void = () => {};
  const cancelled = new Promise<unknown>(resolve => {
    cancel = resolve;
  });
  const body = new ReadableStream<Uint8Array>(
    {
      pull: controller => controller.enqueue(new Uint8Array(64 * KIB)),
      cancel: reason => cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { body, cancelled };
}

/** Reads so much of a body, and then no more. */
function begun(body: NodeJS.ReadableStream, react: () => void): void {
  let bytes = 0;
  body.on('error', () => {});
  body.on('data', (chunk: Buffer) => {
    const before = bytes;
    bytes += chunk.length;
    if (bytes < 256 * KIB || before >= 256 * KIB) return;
    body.pause();
    react();
  });
}

function h1Server(options: https.ServerOptions, react: Reaction) {
  return https.createServer(options, (request, response) => {
    begun(request, () =>
      react({
        cue: () => response.writeEarlyHints({ link: `</${CUE}>` }),
        answer(status, text, whole = true) {
          response.writeHead(status, { 'content-length': text.length + (whole ? 0 : 1) });
          if (whole) response.end(text);
          else response.write(text);
        },
        socket: request.socket,
      }),
    );
  });
}

function h2Server(options: https.ServerOptions, react: Reaction) {
  const made = http2.createSecureServer(options);
  made.on('sessionError', () => {});
  made.on('stream', stream => {
    begun(stream, () =>
      react({
        cue: () => stream.session?.ping(Buffer.from(CUE), () => {}),
        answer(status, text, whole = true) {
          stream.respond({ ':status': status });
          if (whole) stream.end(text);
          else stream.write(text);
        },
        // Of the session's own, only some may be used.
        socket: [...sockets].at(-1) as Socket,
      }),
    );
  });
  return made;
}

const settings = (['h2', 'http/1.1'] as const).flatMap(protocol =>
  (Object.keys(suites) as AttackedSuite[]).map(suite => ({ protocol, suite })),
);

const alert = (level: number, description: number) => ({
  behind: CUE,
  with: ((records: Parameters<Attack>[0]) => [records.seal(ALERT, Buffer.of(level, description))]) as Attack,
});

describe.each(settings)('an upload over $protocol, $suite', setting => {
  it('that a fatal alert ends, fails with it', async () => {
    const { response, cancelled } = await upload({
      ...setting,
      react: ({ cue }) => cue(),
      attack: alert(2, 80),
    });
    await expect(response).rejects.toMatchObject({ code: 'ERR_TLS_ALERT' });
    expect(await cancelled).toMatchObject({ code: 'ERR_TLS_ALERT' });
  });

  it('that close_notify ends without an answer, fails', async () => {
    const { response, cancelled } = await upload({
      ...setting,
      react: ({ cue }) => cue(),
      attack: alert(1, 0),
    });
    // Over HTTP/1.1 the cue is an informational response, so the answer had begun.
    const code = setting.protocol === 'h2' ? 'ERR_HTTP_CLOSED' : 'ERR_HTTP_TRUNCATED';
    await expect(response).rejects.toMatchObject({ code });
    expect(await cancelled).toMatchObject({ code });
  });

  it('that is cut, fails', async () => {
    const { response, cancelled } = await upload({ ...setting, react: ({ socket }) => socket.destroy() });
    await expect(response).rejects.toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
    expect(await cancelled).toMatchObject({ code: 'ERR_TLS_TRUNCATED' });
  });

  it.each([
    ['a fatal alert', 2, 80],
    ['close_notify', 1, 0],
  ])('that is answered, with %s behind the answer: the answer counts', async (_, level, description) => {
    const { response, cancelled } = await upload({
      ...setting,
      react: ({ answer }) => answer(413, 'too large'),
      attack: { ...alert(level, description), behind: 'too large' },
    });
    const answer = await response;
    expect([answer.status, await answer.text()]).toEqual([413, 'too large']);
    expect(await cancelled).toBeInstanceOf(Error);
  });

  it.each([
    ['a fatal alert', 2, 80, 'ERR_TLS_ALERT'],
    ['close_notify', 1, 0, 'ERR_HTTP_TRUNCATED'],
  ])('that is answered in part, with %s behind: the answer fails', async (_, level, description, code) => {
    const { response, cancelled } = await upload({
      ...setting,
      react: ({ answer }) => answer(200, 'partly', false),
      attack: { ...alert(level, description), behind: 'partly' },
    });
    const answer = await response;
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toMatchObject({ code });
    expect(await cancelled).toMatchObject({ code });
  });

  it('that is answered by a server which hangs up then: the answer counts', async () => {
    const { response, cancelled } = await upload({
      ...setting,
      react: ({ answer, socket }) => {
        answer(413, 'too large');
        setImmediate(() => socket.end());
      },
    });
    const answer = await response;
    expect([answer.status, await answer.text()]).toEqual([413, 'too large']);
    expect(await cancelled).toBeInstanceOf(Error);
  });
});

it('an upload to a server that closes properly without an answer, fails', async () => {
  const { response, cancelled } = await upload({
    protocol: 'http/1.1',
    suite: 'TLS_AES_128_GCM_SHA256',
    react: ({ socket }) => socket.end(),
  });
  await expect(response).rejects.toMatchObject({ code: 'ERR_HTTP_CLOSED' });
  expect(await cancelled).toMatchObject({ code: 'ERR_HTTP_CLOSED' });
});
