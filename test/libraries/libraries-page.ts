// What a page does with libraries whose builds for browsers are others than for Node.
import { type ApolloClient, gql } from '@apollo/client';
import { GetObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Client as UrqlClient } from '@urql/core';
import type { AxiosInstance } from 'axios';
import type { MtlsClient } from 'browser-mtls';
import type { EventSource } from 'eventsource';
import type { Client as SubscriptionClient } from 'graphql-ws';
import type { KyInstance } from 'ky';
import type { MqttClient } from 'mqtt';
import type { Socket } from 'socket.io-client';
import { type HttpStack, Upload as TusUpload } from 'tus-js-client';
import { clientOfPage } from './page-client.js';
import type { PageTask } from './page-script.js';

/** The examples of docs/libraries.md. */
export interface Examples {
  axiosOver(client: MtlsClient, url: string): AxiosInstance;
  kyOver(client: MtlsClient, url: string): KyInstance;
  urqlOver(client: MtlsClient, url: string): UrqlClient;
  apolloOver(client: MtlsClient, url: string): ApolloClient;
  subscriptionsOver(client: MtlsClient, url: string): SubscriptionClient;
  eventsOver(client: MtlsClient, url: string): EventSource;
  boundToken(client: MtlsClient, issuer: string, clientId: string): Promise<string>;
  awsHandler(client: MtlsClient): NonNullable<S3ClientConfig['requestHandler']>;
  tusStack(client: MtlsClient): HttpStack;
  mqttOver(client: MtlsClient, url: string): MqttClient;
  socketOver(client: MtlsClient, url: string): Socket;
}

export interface Findings {
  posted: { token: string; body: unknown };
  client: string;
  greetings: string[];
  ticks: number[];
  event: string;
  /** The hash of the certificate that the token is bound to. */
  boundTo: string;
  storedBytes: number;
  uploadedBytes: number;
  message: string;
  greeting: string;
}

/** Uses each of them once, one after the other. */
export async function useLibraries(examples: Examples, task: PageTask): Promise<Findings> {
  const client = await clientOfPage(task);
  try {
    const http = examples.axiosOver(client, task.origin);
    await http.get('/items');
    const { data: posted } = await http.post('/items', { name: 'é' });
    const content = new Blob([new Uint8Array(6 << 20)]);
    const socketOrigin = task.origin.replace('https', 'wss');
    return {
      posted,
      client: await whoami(examples.kyOver(client, task.origin)),
      greetings: await greetings(examples, client, `${task.origin}/graphql`),
      ticks: await ticks(examples.subscriptionsOver(client, `${socketOrigin}/graphql`)),
      event: await namedEvent(examples.eventsOver(client, `${task.origin}/events`)),
      boundTo: thumbprintOf(await examples.boundToken(client, task.origin, 'page')),
      storedBytes: await store(examples.awsHandler(client), task.origin, content),
      uploadedBytes: await upload(examples.tusStack(client), task.origin, content),
      message: await message(examples.mqttOver(client, `${socketOrigin}/mqtt`)),
      greeting: await greeting(examples.socketOver(client, task.origin)),
    };
  } finally {
    await client.close();
  }
}

async function whoami(http: KyInstance): Promise<string> {
  const { client } = await http.get('items').json<{ client: string }>();
  return client;
}

const GREET = 'query ($name: String!) { greet(name: $name) }';

async function greetings(examples: Examples, client: MtlsClient, url: string): Promise<string[]> {
  const variables = { name: 'é' };
  const urql = await examples.urqlOver(client, url).query<{ greet: string }>(GREET, variables).toPromise();
  const apollo = await examples
    .apolloOver(client, url)
    .query<{ greet: string }>({ query: gql(GREET), variables });
  return [urql.data?.greet ?? String(urql.error), apollo.data?.greet ?? String(apollo.error)];
}

async function ticks(subscriptions: SubscriptionClient): Promise<number[]> {
  const found: number[] = [];
  const answers = subscriptions.iterate<{ ticks: number }>({ query: 'subscription { ticks }' });
  for await (const { data } of answers) found.push(data?.ticks ?? -1);
  await subscriptions.dispose();
  return found;
}

async function namedEvent(events: EventSource): Promise<string> {
  const { data } = await new Promise<MessageEvent>(resolve => events.addEventListener('named', resolve));
  events.close();
  return data;
}

/** RFC 8705, section 3.1. */
function thumbprintOf(token: string): string {
  const [, payload = ''] = token.split('.');
  const { cnf } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  return cnf['x5t#S256'];
}

async function store(
  requestHandler: NonNullable<S3ClientConfig['requestHandler']>,
  endpoint: string,
  content: Blob,
): Promise<number> {
  const s3 = new S3Client({
    endpoint,
    requestHandler,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  const object = { Bucket: 'bucket', Key: 'from a page' };
  await new Upload({ client: s3, params: { ...object, Body: content } }).done();
  const { Body } = await s3.send(new GetObjectCommand(object));
  return (await Body?.transformToByteArray())?.length ?? 0;
}

function upload(httpStack: HttpStack, origin: string, content: Blob): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const options = {
      endpoint: `${origin}/tus`,
      httpStack,
      onProgress: (sentBytes: number) => {
        bytes = sentBytes;
      },
      onError: reject,
      onSuccess: () => resolve(bytes),
    };
    new TusUpload(content, options).start();
  });
}

async function message(mqtt: MqttClient): Promise<string> {
  await mqtt.subscribeAsync('page');
  const received = new Promise<string>(resolve => {
    mqtt.once('message', (_topic, payload) => resolve(String(payload)));
  });
  await mqtt.publishAsync('page', 'é');
  const text = await received;
  await mqtt.endAsync();
  return text;
}

async function greeting(socket: Socket): Promise<string> {
  const answer: string = await socket.emitWithAck('greet', 'é');
  socket.close();
  return answer;
}
