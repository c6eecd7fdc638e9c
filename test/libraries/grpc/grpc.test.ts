import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../../relay/src/index.js';
import { type MtlsClient, mtlsErrorOf } from '../../../src/index.js';
import { clientOf, startRelay, withClient } from '../../support/client.js';
import { documented } from '../../support/documented.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { startEchoServer } from './echo-server.js';
import { Echo } from './generated/echo_pb.js';
import { KV, Watch, type WatchRequest, WatchRequestSchema, type WatchResponse } from './generated/etcd_pb.js';
import { startEtcd, startGo } from './programs.js';

interface Example {
  grpcTransport(client: MtlsClient, baseUrl: string): Transport;
}

const pki = new OpensslPki('Test CA');
const server = pki.issue({
  subject: '/CN=localhost',
  altNames: 'DNS:localhost,IP:127.0.0.1',
  usage: 'serverAuth',
});
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
const credentials = { server, clientCa: pki.ca.cert };
const textOf = (value: string) => create(StringValueSchema, { value });
let relay: Relay;
let client: MtlsClient;
let grpcTransport: Example['grpcTransport'];

beforeAll(async () => {
  ({ grpcTransport } = await documented<Example>('docs/grpc.md', 'grpcTransport'));
  relay = await startRelay();
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
});

afterAll(async () => {
  await client?.close();
  await relay?.close();
  pki.close();
});

/** What a call fails with. */
async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectError);
  return error as ConnectError;
}

async function all<T>(messages: AsyncIterable<{ value: T }>): Promise<T[]> {
  const values: T[] = [];
  for await (const { value } of messages) values.push(value);
  return values;
}

/** Messages that are given one by one; tells whether they are still wanted. */
function outbox<T>() {
  const waiting: ((message: T | undefined) => void)[] = [];
  const messages: (T | undefined)[] = [];
  const box = {
    wanted: true,
    send(message: T | undefined) {
      const next = waiting.shift();
      if (next) next(message);
      else messages.push(message);
    },
    end: () => box.send(undefined),
    [Symbol.asyncIterator]: (): AsyncIterator<T> => ({
      async next() {
        const message =
          messages.length > 0 ? messages.shift() : await new Promise<T | undefined>(it => waiting.push(it));
        return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
      },
      async return() {
        box.wanted = false;
        return { done: true, value: undefined };
      },
      async throw() {
        box.wanted = false;
        return { done: true, value: undefined };
      },
    }),
  };
  return box;
}

const echoServers = {
  'grpc-go': async () => {
    const { ports, stop } = await startGo(credentials);
    return { port: ports[0] ?? 0, stop };
  },
  'grpc-node': () => startEchoServer(server, pki.ca.cert),
};

describe.each(Object.entries(echoServers))('gRPC with %s', (_name, start) => {
  let echo: Client<typeof Echo>;
  let baseUrl: string;
  let stop: () => unknown;

  beforeAll(async () => {
    const running = await start();
    stop = running.stop;
    baseUrl = `https://localhost:${running.port}`;
    echo = createClient(Echo, grpcTransport(client, baseUrl));
  }, 600_000);
  afterAll(() => stop?.());

  const cancelled = async () => Number((await echo.say({ value: 'cancelled' })).value);

  test('knows the client by its certificate', async () => {
    expect((await echo.say({ value: 'who' })).value).toBe('Client');
  });

  test('answers unary calls, with headers and trailers', async () => {
    const seen: (string | null)[] = [];
    const { value } = await echo.say(
      { value: 'hello' },
      {
        onHeader: it => seen.push(it.get('x-head')),
        onTrailer: it => seen.push(it.get('x-trailer'), it.get('grpc-status')),
      },
    );
    expect(value).toBe('hello');
    expect(seen).toEqual(['first', 'last', '0']);
  });

  test('takes and gives messages of a megabyte', async () => {
    const value = 'x'.repeat(1 << 20);
    expect((await echo.say({ value })).value === value).toBe(true);
  });

  test('streams to the client', async () => {
    const values = await all(echo.count({ value: 500 }));
    expect(values).toEqual(Array.from({ length: 500 }, (_, at) => String(at)));
    expect(await all(echo.count({ value: 0 }))).toEqual([]);
  });

  test('takes a stream', async () => {
    async function* words() {
      for (const word of ['one', 'two', 'three']) yield textOf(word);
    }
    expect((await echo.join(words())).value).toBe('one two three');
  });

  test('goes both ways at once: each message is answered before the next one is sent', async () => {
    const sent = outbox<ReturnType<typeof textOf>>();
    const answers = echo.chat(sent)[Symbol.asyncIterator]();
    for (let at = 0; at < 50; at++) {
      sent.send(textOf(`message ${at}`));
      expect((await answers.next()).value?.value).toBe(`message ${at}`);
    }
    sent.end();
    expect((await answers.next()).done).toBe(true);
  });

  test('carries many calls at once on one connection', async () => {
    const calls = Array.from({ length: 30 }, async (_, call) => {
      const sent = outbox<ReturnType<typeof textOf>>();
      const answers = echo.chat(sent)[Symbol.asyncIterator]();
      for (let at = 0; at < 5; at++) {
        sent.send(textOf(`${call}/${at}`));
        expect((await answers.next()).value?.value).toBe(`${call}/${at}`);
      }
      sent.end();
      expect((await answers.next()).done).toBe(true);
    });
    await Promise.all(calls);
  });

  test('gives up at a deadline', async () => {
    const error = await errorOf(all(echo.wait({ value: '' }, { timeoutMs: 300 })));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  test('is told when a call is cancelled, before its answers and between them', async () => {
    const before = await cancelled();
    const controller = new AbortController();
    const waiting = errorOf(all(echo.wait({ value: '' }, { signal: controller.signal })));
    setTimeout(() => controller.abort(), 200);
    expect((await waiting).code).toBe(Code.Canceled);
    await expect.poll(cancelled).toBe(before + 1);

    const sent = outbox<ReturnType<typeof textOf>>();
    sent.send(textOf('first'));
    const leaving = new AbortController();
    const answers = echo.chat(sent, { signal: leaving.signal })[Symbol.asyncIterator]();
    expect((await answers.next()).value?.value).toBe('first');
    leaving.abort();
    await expect.poll(cancelled).toBe(before + 2);
    sent.send(textOf('nobody gets this'));
    await expect.poll(() => sent.wanted).toBe(false);
  });

  test('fails with a status, a message and details', async () => {
    const error = await errorOf(echo.say({ value: 'fail' }));
    expect([error.code, error.rawMessage]).toEqual([Code.FailedPrecondition, 'not now: %ü']);
    expect(error.findDetails(StringValueSchema).map(it => it.value)).toEqual(['why']);
    expect(mtlsErrorOf(error)).toBe(undefined);
  });

  test('ends a call in the middle, and with it the messages of the client', async () => {
    const sent = outbox<ReturnType<typeof textOf>>();
    const answers = echo.chat(sent)[Symbol.asyncIterator]();
    sent.send(textOf('first'));
    expect((await answers.next()).value?.value).toBe('first');
    sent.send(textOf('fail'));
    const error = await errorOf(answers.next());
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.findDetails(StringValueSchema)).toHaveLength(1);
    sent.send(textOf('nobody gets this'));
    await expect.poll(() => sent.wanted).toBe(false);
    expect((await echo.say({ value: 'after' })).value).toBe('after');
  });

  test('says that it does not know a service', async () => {
    const etcd = createClient(KV, grpcTransport(client, baseUrl));
    expect((await errorOf(etcd.put({}))).code).toBe(Code.Unimplemented);
  });

  test('refuses a client without a certificate, which mtlsErrorOf tells', async () => {
    await withClient({ relay, ca: pki.ca.cert }, async stranger => {
      const { say } = createClient(Echo, grpcTransport(stranger, baseUrl));
      const error = await errorOf(say({ value: 'who' }));
      expect(mtlsErrorOf(error)?.code).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    });
  });
});

describe('gRPC with etcd', () => {
  let transport: Transport;
  let stop: () => unknown;

  beforeAll(async () => {
    const running = await startEtcd(credentials);
    stop = running.stop;
    transport = grpcTransport(client, `https://localhost:${running.ports[0]}`);
  });
  afterAll(() => stop?.());

  const bytes = (text: string) => new TextEncoder().encode(text);
  const text = (value: Uint8Array = new Uint8Array()) => new TextDecoder().decode(value);

  test('keeps and gives values', async () => {
    const kv = createClient(KV, transport);
    await kv.put({ key: bytes('a'), value: bytes('1') });
    const { kvs, count } = await kv.range({ key: bytes('a') });
    expect([kvs.map(it => text(it.value)), count]).toEqual([['1'], 1n]);
  });

  test('tells of changes by a call that goes both ways', async () => {
    const kv = createClient(KV, transport);
    const requests = outbox<WatchRequest>();
    const answers = createClient(Watch, transport).watch(requests)[Symbol.asyncIterator]();
    const next = async (): Promise<WatchResponse | undefined> => (await answers.next()).value;
    const request = { case: 'createRequest', value: { key: bytes('w'), rangeEnd: bytes('x') } } as const;
    requests.send(create(WatchRequestSchema, { requestUnion: request }));
    const created = await next();
    expect(created?.created).toBe(true);
    for (const value of ['1', '2', '3']) {
      await kv.put({ key: bytes('watched'), value: bytes(value) });
      expect((await next())?.events.map(({ kv }) => text(kv?.value))).toEqual([value]);
    }
    const cancel = { case: 'cancelRequest', value: { watchId: created?.watchId ?? 0n } } as const;
    requests.send(create(WatchRequestSchema, { requestUnion: cancel }));
    expect((await next())?.canceled).toBe(true);
    // etcd goes on after the end of the requests.
    await answers.return?.();
  });
});
