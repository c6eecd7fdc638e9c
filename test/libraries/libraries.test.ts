import { createHash, X509Certificate } from 'node:crypto';
import type { ApolloClient } from '@apollo/client';
import { gql } from '@apollo/client';
import { GetObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import type { CreateTRPCClient } from '@trpc/client';
import type { Client as UrqlClient } from '@urql/core';
import type { AxiosInstance } from 'axios';
import type { EventSource } from 'eventsource';
import type { Client as SubscriptionClient } from 'graphql-ws';
import type { KyInstance } from 'ky';
import type { MqttClient } from 'mqtt';
import type { Client as OpenapiClient } from 'openapi-fetch';
import type { Socket } from 'socket.io-client';
import { type HttpStack, Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { type MtlsClient, mtlsErrorOf } from '../../src/index.js';
import { clientOf, startRelay } from '../support/client.js';
import { documented } from '../support/documented.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type Backend, type Router, startBackend } from './backend.js';
import { Echo } from './grpc/generated/echo_pb.js';

const pki = new OpensslPki('Test CA');
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
let relay: Relay;
let backend: Backend;
let client: MtlsClient;
/** A client without a certificate, which the server refuses. */
let stranger: MtlsClient;

beforeAll(async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  backend = await startBackend(server, pki.ca.cert);
  relay = await startRelay();
  client = await clientOf({ relay, ca: pki.ca.cert, identities: [pair] });
  stranger = await clientOf({ relay, ca: pki.ca.cert });
});

afterAll(async () => {
  await client?.close();
  await stranger?.close();
  await relay?.close();
  await backend?.stop();
  pki.close();
});

const urlOf = (path = '', scheme = 'https') => `${scheme}://localhost:${backend.port}${path}`;

/** A function of docs/libraries.md. */
async function example<F>(name: string): Promise<F> {
  const module = await documented<Record<string, unknown>>('docs/libraries.md', name);
  return module[name] as F;
}

type Over<T> = (client: MtlsClient, url: string) => T;

/** That a failure of a library leads to the reason. */
async function expectRefusal(failing: PromiseLike<unknown>): Promise<void> {
  const error = await Promise.resolve(failing).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(mtlsErrorOf(error)?.code, String(error)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
}

describe('REST', () => {
  test('axios sends the token of a cookie', async () => {
    const axiosOver = await example<Over<AxiosInstance>>('axiosOver');
    const http = axiosOver(client, urlOf());
    const { data } = await http.get('/items');
    expect(data).toMatchObject({ client: 'Client', method: 'GET', token: null });
    const posted = await http.post('/items', { name: 'é' });
    expect(posted.data).toMatchObject({ method: 'POST', token: 'a+b', body: { name: 'é' } });
    await expectRefusal(axiosOver(stranger, urlOf()).get('/items'));
  });

  test('ky', async () => {
    const kyOver = await example<Over<KyInstance>>('kyOver');
    const http = kyOver(client, urlOf());
    expect(await http.post('items', { json: { name: 'é' } }).json()).toMatchObject({
      client: 'Client',
      body: { name: 'é' },
    });
    await expectRefusal(kyOver(stranger, urlOf()).get('items', { retry: 0 }));
  });

  test('openapi-fetch', async () => {
    interface Paths {
      '/items': {
        post: {
          requestBody: { content: { 'application/json': { name: string } } };
          responses: { 200: { content: { 'application/json': { client: string; body: object } } } };
        };
      };
    }
    const openapiOver = await example<Over<OpenapiClient<Paths>>>('openapiOver');
    const { data } = await openapiOver(client, urlOf()).POST('/items', { body: { name: 'é' } });
    expect(data).toMatchObject({ client: 'Client', body: { name: 'é' } });
    await expectRefusal(openapiOver(stranger, urlOf()).POST('/items', { body: { name: '' } }));
  });

  test('tRPC', async () => {
    const trpcOver = await example<Over<CreateTRPCClient<Router>>>('trpcOver');
    const api = trpcOver(client, urlOf('/trpc'));
    expect(await Promise.all([api.greet.query('a'), api.greet.query('b')])).toEqual(['hello a', 'hello b']);
    await expectRefusal(trpcOver(stranger, urlOf('/trpc')).greet.query('a'));
  });
});

describe('GraphQL', () => {
  const query = 'query ($name: String!) { greet(name: $name) }';
  const variables = { name: 'é' };

  test('urql', async () => {
    const urqlOver = await example<Over<UrqlClient>>('urqlOver');
    const { data } = await urqlOver(client, urlOf('/graphql')).query(query, variables).toPromise();
    expect(data).toEqual({ greet: 'hello é' });
    const { error } = await urqlOver(stranger, urlOf('/graphql')).query(query, variables).toPromise();
    expect(mtlsErrorOf(error)?.code).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
  });

  test('Apollo Client', async () => {
    const apolloOver = await example<Over<ApolloClient>>('apolloOver');
    const asked = { query: gql(query), variables };
    const { data } = await apolloOver(client, urlOf('/graphql')).query(asked);
    expect(data).toEqual({ greet: 'hello é' });
    await expectRefusal(apolloOver(stranger, urlOf('/graphql')).query(asked));
  });

  test('graphql-ws', async () => {
    const subscriptionsOver = await example<Over<SubscriptionClient>>('subscriptionsOver');
    const subscriptions = subscriptionsOver(client, urlOf('/graphql', 'wss'));
    const ticks: unknown[] = [];
    for await (const { data } of subscriptions.iterate({ query: 'subscription { ticks }' })) ticks.push(data);
    expect(ticks).toEqual([{ ticks: 0 }, { ticks: 1 }, { ticks: 2 }]);
    await subscriptions.dispose();
  });
});

describe.each(['connectOver', 'grpcWebOver'])('%s', name => {
  test('makes unary calls and streams to the client', async () => {
    const over = await example<Over<Transport>>(name);
    const echo = createClient(Echo, over(client, urlOf('/rpc')));
    expect((await echo.say({ value: 'é' })).value).toBe('é');
    const counted: string[] = [];
    for await (const { value } of echo.count({ value: 3 })) counted.push(value);
    expect(counted).toEqual(['0', '1', '2']);
    const failed = await echo.say({ value: 'fail' }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ConnectError);
    expect((failed as ConnectError).code).toBe(Code.FailedPrecondition);
    await expectRefusal(createClient(Echo, over(stranger, urlOf('/rpc'))).say({ value: '' }));
  });
});

describe('streams and sockets', () => {
  test('eventsource', async () => {
    const eventsOver = await example<Over<EventSource>>('eventsOver');
    const events = eventsOver(client, urlOf('/events'));
    const named = await new Promise<MessageEvent>(resolve => events.addEventListener('named', resolve));
    expect([named.data, named.lastEventId]).toEqual(['second', '2']);
    events.close();
  });

  test('socket.io', async () => {
    const socketOver = await example<Over<Socket>>('socketOver');
    const socket = socketOver(client, urlOf());
    const who = await new Promise(resolve => socket.once('who', resolve));
    expect(who).toBe('Client');
    expect(await socket.emitWithAck('greet', 'é')).toBe('hello é');
    socket.close();
  });

  test('mqtt.js', async () => {
    const mqttOver = await example<Over<MqttClient>>('mqttOver');
    const mqtt = mqttOver(client, urlOf('/mqtt', 'wss'));
    await mqtt.subscribeAsync('news/#');
    const received = new Promise<string[]>(resolve => {
      mqtt.once('message', (topic, payload) => resolve([topic, String(payload)]));
    });
    await mqtt.publishAsync('news/today', 'é', { qos: 1 });
    expect(await received).toEqual(['news/today', 'é']);
    await mqtt.endAsync();
  });

  test('a watch', async () => {
    type Watch = <Event>(client: MtlsClient, url: string) => AsyncGenerator<Event>;
    const watch = await example<Watch>('watch');
    const changes: unknown[] = [];
    for await (const change of watch(client, urlOf('/watch'))) {
      changes.push(change);
      if (changes.length === 2) break;
    }
    expect(changes).toEqual([
      { type: 'ADDED', name: 'é' },
      { type: 'MODIFIED', name: 'b' },
    ]);
  });
});

describe('uploads', () => {
  const content = Buffer.alloc(12 << 20, 'twelve megabytes');

  test('the AWS SDK sends a file in parts', async () => {
    type Handler = (client: MtlsClient) => NonNullable<S3ClientConfig['requestHandler']>;
    const awsHandler = await example<Handler>('awsHandler');
    const s3 = new S3Client({
      endpoint: urlOf(),
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
      requestHandler: awsHandler(client),
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    const object = { Bucket: 'bucket', Key: 'a file +é' };
    const upload = new Upload({ client: s3, params: { ...object, Body: content } });
    const parts: number[] = [];
    upload.on('httpUploadProgress', ({ part = 0 }) => parts.push(part));
    await upload.done();
    expect(parts.sort()).toEqual([1, 2, 3]);
    const { Body } = await s3.send(new GetObjectCommand(object));
    const stored = await Body?.transformToByteArray();
    expect(Buffer.from(stored ?? []).equals(content)).toBe(true);
  });

  test('tus sends a file, and goes on after a break', async () => {
    const tusStack = await example<(client: MtlsClient) => HttpStack>('tusStack');
    const options = { endpoint: urlOf('/tus'), httpStack: tusStack(client), chunkSize: 4 << 20 };
    const uploadUrl = await new Promise<string>((resolve, reject) => {
      const upload = new TusUpload(content, {
        ...options,
        onError: reject,
        onChunkComplete: () => void upload.abort().then(() => resolve(upload.url ?? '')),
      });
      upload.start();
    });
    const progress: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const upload = new TusUpload(content, {
        ...options,
        uploadUrl,
        onError: reject,
        onProgress: sent => progress.push(sent),
        onSuccess: () => resolve(),
      });
      upload.start();
    });
    expect(progress[0]).toBeGreaterThanOrEqual(4 << 20);
    expect(progress.at(-1)).toBe(content.length);
    const refused = new Promise((_, reject) => {
      const httpStack = tusStack(stranger);
      new TusUpload(content, { ...options, httpStack, retryDelays: null, onError: reject }).start();
    });
    await expectRefusal(refused);
  });
});

test('openid-client gets a token that is bound to the certificate', async () => {
  type Token = (client: MtlsClient, issuer: string, clientId: string) => Promise<string>;
  const boundToken = await example<Token>('boundToken');
  const token = await boundToken(client, urlOf(), 'page');
  const [, payload = ''] = token.split('.');
  const { cnf } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { cnf: Record<string, string> };
  const { raw } = new X509Certificate(pair.cert);
  expect(cnf['x5t#S256']).toBe(createHash('sha256').update(raw).digest('base64url'));
  await expectRefusal(boundToken(stranger, urlOf(), 'page'));
});
