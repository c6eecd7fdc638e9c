import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../../src/engine/instance.js';
import { RecordEngine } from '../../../../src/tls/ciphers/record-engine.js';
import { Algorithm } from '../../../../src/tls/ciphers/traffic-keys.js';
import type { ExternalConnection } from '../../../../src/tls/records/external-connection.js';
import { RecordLayer } from '../../../../src/tls/records/record-layer.js';
import { TlsConnection } from '../../../../src/tls/tls-connection.js';
import { TlsEngine } from '../../../../src/tls/tls-engine.js';
import type { TunnelStream } from '../../../../src/tunnel/tunnel.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, type KeyPair, OpensslPki } from '../../../support/openssl-pki.js';
import { dialTcp } from '../../../support/tcp-tunnel.js';

let pki: OpensslPki;
let pair: KeyPair;
const cleanups: (() => void)[] = [];

beforeAll(() => {
  pki = new OpensslPki();
  pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
});

afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
  vi.restoreAllMocks();
});

afterAll(() => pki.close());

async function connect(stream: TunnelStream, engine?: TlsEngine): Promise<TlsConnection> {
  const anchors = [certificateDer(pki.ca.cert)];
  return TlsConnection.connect(engine ?? (await TlsEngine.create(engineModule(), { anchors })), stream, {
    hostname: 'localhost',
    partition: '',
    authenticate: async () => undefined,
  });
}

interface ServerSettings {
  ciphers: string;
  maxVersion?: 'TLSv1.2';
  allowHalfOpen?: boolean;
}

async function listen(settings: ServerSettings, onSocket: (socket: TLSSocket) => void): Promise<number> {
  const server: Server = createServer({ ...pair, ...settings }, socket => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Bytes that differ wherever records could be swapped. */
function numbered(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= size; at += 4) view.setUint32(at, at);
  return bytes;
}

const suites: [name: string, settings: ServerSettings, byWebCrypto: boolean][] = [
  ['TLS_AES_128_GCM_SHA256', { ciphers: 'TLS_AES_128_GCM_SHA256' }, true],
  ['TLS_AES_256_GCM_SHA384', { ciphers: 'TLS_AES_256_GCM_SHA384' }, true],
  ['TLS_CHACHA20_POLY1305_SHA256', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }, false],
  [
    'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
    true,
  ],
  [
    'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' },
    true,
  ],
  [
    'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
    { ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' },
    false,
  ],
];

describe.each(suites)('records of %s', (suite, settings, byWebCrypto) => {
  it('carry several megabytes both ways at once', async () => {
    const decrypt = vi.spyOn(crypto.subtle, 'decrypt');
    const connection = await connect(dialTcp(await listen(settings, socket => socket.pipe(socket))));
    expect(connection.info.cipherSuite).toBe(suite);
    const sent = numbered(4 * 1024 * 1024);
    const writer = connection.writable.getWriter();
    const writing = writer.write(sent).then(() => writer.close());
    const parts: Uint8Array[] = [];
    for await (const part of connection.readable) parts.push(part);
    await writing;
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    expect(decrypt.mock.calls.length > 0).toBe(byWebCrypto);
  });

  it('are refused when a bit is wrong, after what came before', async () => {
    const port = await listen(settings, async socket => {
      for (const word of ['good', 'evil', 'more']) {
        // Each in a chunk of its own.
        await sleep(50);
        socket.write(word);
      }
    });
    const connection = await connect(flipping(dialTcp(port), 2));
    const reader = connection.readable.getReader();
    let text = '';
    const failed = (async () => {
      for (;;) text += Buffer.from((await reader.read()).value ?? []).toString();
    })();
    await expect(failed).rejects.toMatchObject({ code: 'ERR_TLS_PROTOCOL' });
    expect(text).toBe('good');
    await expect(connection.writable.getWriter().write(Uint8Array.of(1))).rejects.toMatchObject({
      code: 'ERR_TLS_PROTOCOL',
    });
  });
});

const APPLICATION_DATA = 23;
/** Smaller than any handshake record, larger than any alert. */
const isShortText = (chunk: Uint8Array) =>
  chunk[0] === APPLICATION_DATA && chunk.length > 24 && chunk.length < 50;

/** Changes a bit in the nth short record, which comes in a chunk of its own. */
function flipping({ readable, writable }: TunnelStream, nth: number): TunnelStream {
  let count = 0;
  const flip = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      const changed = chunk.slice();
      const last = changed.length - 1;
      if (isShortText(chunk) && ++count === nth) changed[last] = (changed[last] ?? 0) ^ 1;
      controller.enqueue(changed);
    },
  });
  return { readable: readable.pipeThrough(flip), writable };
}

/** `openssl s_server` with its console: a line is sent, `k` updates its key, `K` asks for ours as well. */
async function startConsole(): Promise<{ port: number; server: ChildProcess; received: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-console-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key, { mode: 0o600 });
  const args = ['s_server', '-accept', '127.0.0.1:0', '-tls1_3', '-cert', cert, '-key', key];
  const server = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  cleanups.push(() => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  let output = '';
  server.stdout?.on('data', data => {
    output += data;
  });
  await expect.poll(() => /ACCEPT \S*:(\d+)/.test(output)).toBe(true);
  return { port: Number(/ACCEPT \S*:(\d+)/.exec(output)?.[1]), server, received: () => output };
}

describe('new keys', () => {
  it('are taken and given when the server asks', async () => {
    const { port, server, received } = await startConsole();
    const connection = await connect(dialTcp(port));
    const reader = connection.readable.getReader();
    const writer = connection.writable.getWriter();
    let text = '';
    const readUntil = async (ending: string) => {
      while (!text.endsWith(ending)) text += Buffer.from((await reader.read()).value ?? []).toString();
    };
    for (let round = 0; round < 6; round++) {
      const command = round % 2 ? 'K' : 'k';
      server.stdin?.write(`before ${round}\n`);
      await readUntil(`before ${round}\n`);
      server.stdin?.write(`${command}\n`);
      // A command is one only when it is all that the server reads.
      await sleep(50);
      server.stdin?.write(`after ${round}\n`);
      await readUntil(`after ${round}\n`);
      await writer.write(new TextEncoder().encode(`from the client ${round}\n`));
      await expect.poll(received).toContain(`from the client ${round}\n`);
    }
    expect(received()).not.toContain('ERROR');
  });

  it('keep sessions resumable: tickets reach the cache', async () => {
    const port = await listen({ ciphers: 'TLS_AES_128_GCM_SHA256' }, socket => {
      socket.write('hello');
      socket.pipe(socket);
    });
    const engine = await TlsEngine.create(engineModule(), { anchors: [certificateDer(pki.ca.cert)] });
    const resumed: boolean[] = [];
    for (let visit = 0; visit < 2; visit++) {
      const connection = await connect(dialTcp(port), engine);
      resumed.push(connection.info.resumed);
      const reader = connection.readable.getReader();
      await reader.read();
      await connection.writable.close();
      while (!(await reader.read()).done);
    }
    expect(resumed).toEqual([false, true]);
  });
});

it.each<[name: string, settings: ServerSettings]>([
  ['TLS 1.3', { ciphers: 'TLS_AES_128_GCM_SHA256' }],
  ['TLS 1.2', { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }],
])('a record that cannot be sealed over %s ends the writing alone', async (_, settings) => {
  let ended = false;
  const port = await listen({ ...settings, allowHalfOpen: true }, socket => {
    socket.on('data', () => socket.write('before'));
    socket.on('end', () => {
      ended = true;
      socket.end('after');
    });
  });
  const connection = await connect(dialTcp(port));
  const writer = connection.writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write(Uint8Array.of(1));
  vi.spyOn(crypto.subtle, 'encrypt').mockRejectedValueOnce(new Error('no room'));
  // The engine seals small ones.
  await expect(writer.write(new Uint8Array(2_000))).rejects.toThrow('no room');
  // The server is told that nothing more comes.
  await expect.poll(() => ended).toBe(true);
  expect(await new Response(connection.readable).text()).toBe('beforeafter');
});

describe('keys that have sealed 2^23 records', () => {
  const RECORDS = 2 ** 23;
  const keys = (sequence: number) => ({
    sequence,
    algorithm: Algorithm.aesGcm,
    key: new Uint8Array(16),
    iv: new Uint8Array(12),
  });
  const records = async (version: 'TLSv1.2' | 'TLSv1.3') => {
    const sent: Uint8Array[] = [];
    const external = {
      sendKeys: keys(RECORDS),
      receiveKeys: keys(0),
      incoming: new Uint8Array(0),
      records: new RecordEngine(await Instance.create(engineModule())),
      updateKeys: () => keys(0),
      free: () => {},
    } as unknown as ExternalConnection;
    const layer = await RecordLayer.create(external, {
      version,
      transmit: it => void sent.push(it),
      warnings: 0,
    });
    return { layer, sent };
  };

  it('are followed by others in TLS 1.3', async () => {
    const { layer, sent } = await records('TLSv1.3');
    const ofOneByte = 5 + 1 + 1 + 16;
    const ofKeyUpdate = 5 + 5 + 1 + 16;
    await layer.sender.send(Uint8Array.of(1));
    await layer.sender.send(Uint8Array.of(2));
    expect(sent.map(it => it.length)).toEqual([ofKeyUpdate, ofOneByte, ofOneByte]);
  });

  it('are the end in TLS 1.2', async () => {
    const { layer, sent } = await records('TLSv1.2');
    await expect(layer.sender.send(Uint8Array.of(1))).rejects.toMatchObject({ code: 'ERR_TLS_PROTOCOL' });
    expect(sent).toEqual([]);
  });
});
