import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { initTRPC } from '@trpc/server';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { FileStore } from '@tus/file-store';
import { Server as TusServer } from '@tus/server';
import { Aedes } from 'aedes';
import { buildSchema, graphql } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import Provider from 'oidc-provider';
import S3rver from 's3rver';
import { Server as SocketServer } from 'socket.io';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { KeyPair } from '../support/openssl-pki.js';
import { Echo } from './grpc/generated/echo_pb.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface Backend {
  port: number;
  stop(): Promise<void>;
}

const trpc = initTRPC.create();
const router = trpc.router({
  greet: trpc.procedure.input(String).query(({ input }) => `hello ${input}`),
});
export type Router = typeof router;

const schema = buildSchema('type Query { greet(name: String!): String! } type Subscription { ticks: Int! }');
const resolvers = {
  greet: ({ name }: { name: string }) => `hello ${name}`,
  async *ticks() {
    for (let tick = 0; tick < 3; tick++) yield { ticks: tick };
  },
};

function subjectOf({ socket }: IncomingMessage): string {
  return (socket as TLSSocket).getPeerCertificate().subject?.CN as string;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

function json(response: ServerResponse, value: unknown, headers = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

/** `/items` tells what came: by whom, how, with which token. It sets the token's cookie. */
const items: Handler = async (request, response) => {
  const { method, headers } = request;
  const body = await textOf(request);
  json(
    response,
    {
      client: subjectOf(request),
      method,
      token: headers['x-xsrf-token'] ?? null,
      body: body && JSON.parse(body),
    },
    { 'set-cookie': ['session=secret; HttpOnly; Path=/', 'XSRF-TOKEN=a%2Bb; Path=/'] },
  );
};

const queries: Handler = async (request, response) => {
  const { query: source, variables: variableValues } = JSON.parse(await textOf(request));
  json(response, await graphql({ schema, source, variableValues, rootValue: resolvers }));
};

const events: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('id: 1\ndata: first\n\n');
  response.write('id: 2\nevent: named\ndata: second\n\n');
};

/** Lines that end in the middle of what is written at once. */
const watched: Handler = async (_, response) => {
  response.write('{"type":"ADDED","name":"é"}\n{"type":');
  await new Promise(resolve => setTimeout(resolve, 50));
  response.write('"MODIFIED","name":"b"}\n');
};

const rpc = connectNodeAdapter({
  requestPathPrefix: '/rpc',
  routes: ({ service }) =>
    service(Echo, {
      say({ value }) {
        if (value === 'fail') throw new ConnectError('not now', Code.FailedPrecondition);
        return create(StringValueSchema, { value });
      },
      async *count({ value }) {
        for (let at = 0; at < value; at++) yield create(StringValueSchema, { value: String(at) });
      },
    }),
});

/** What all libraries are tested against: one server over HTTP/1.1, which demands a client certificate. */
export async function startBackend(pair: KeyPair, clientCa: string): Promise<Backend> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-libraries-'));
  const settings = { ...pair, ca: clientCa, requestCert: true, rejectUnauthorized: true };
  const server = createServer(settings);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const handlers = handlersOf(folder, port);
  const routes = Object.keys(handlers);
  server.on('request', (request, response) => {
    const route = routes.find(it => request.url?.startsWith(it));
    if (route) handlers[route]?.(request, response);
    else if (!request.url?.startsWith('/socket.io')) response.writeHead(404).end();
  });
  const stopSockets = await addSockets(server);
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => connections.add(socket));
  return {
    port,
    async stop() {
      await stopSockets();
      for (const socket of connections) socket.destroy();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** By the beginnings of paths. */
function handlersOf(folder: string, port: number): Record<string, Handler> {
  mkdirSync(join(folder, 'tus'));
  const tus = new TusServer({
    path: '/tus',
    relativeLocation: true,
    datastore: new FileStore({ directory: join(folder, 'tus') }),
  });
  const s3 = new S3rver({
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'bucket', configs: [] }],
  });
  const storage = s3.configureBuckets().then(() => s3.callback());
  const trpcHandler = createHTTPHandler({ router, basePath: '/trpc/' });
  const identityProvider = providerOf(`https://localhost:${port}`).callback();
  return {
    '/items': items,
    '/graphql': queries,
    '/events': events,
    '/watch': watched,
    '/rpc': rpc,
    '/trpc': trpcHandler,
    '/tus': (request, response) => tus.handle(request, response),
    '/bucket': async (request, response) => (await storage)(request, response),
    '/.well-known': identityProvider,
    '/token': identityProvider,
  };
}

/** An OpenID provider that knows a client by the subject of its certificate, and binds tokens to it. */
function providerOf(issuer: string): Provider {
  const certificateOf = (request: IncomingMessage) => (request.socket as TLSSocket).getPeerX509Certificate();
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'page',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: 'CN=Client',
        tls_client_certificate_bound_access_tokens: true,
      },
    ],
    clientAuthMethods: ['tls_client_auth'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        certificateBoundAccessTokens: true,
        getCertificate: ({ req }) => certificateOf(req)?.toString(),
        certificateAuthorized: ({ req }) => (req.socket as TLSSocket).authorized,
        certificateSubjectMatches: ({ req }, _property, expected) => certificateOf(req)?.subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://api.example',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: '', accessTokenFormat: 'jwt' }),
      },
    },
  });
}

/** GraphQL, MQTT and socket.io over WebSockets. Gives what ends them. */
async function addSockets(server: Server): Promise<() => Promise<unknown>> {
  const subscriptions = new WebSocketServer({ noServer: true });
  useServer({ schema, roots: { subscription: resolvers } }, subscriptions);
  const messages = new WebSocketServer({ noServer: true });
  const broker = await Aedes.createBroker();
  messages.on('connection', socket => broker.handle(createWebSocketStream(socket)));
  const byPath: Record<string, WebSocketServer | undefined> = {
    '/graphql': subscriptions,
    '/mqtt': messages,
  };
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const sockets = byPath[request.url ?? ''];
    sockets?.handleUpgrade(request, socket, head, it => sockets.emit('connection', it, request));
  });
  const sockets = new SocketServer(server, { destroyUpgrade: false });
  sockets.on('connection', socket => {
    socket.on('greet', (name: string, answer: (text: string) => void) => answer(`hello ${name}`));
    socket.emit('who', subjectOf(socket.request as IncomingMessage));
  });
  return async () => {
    await new Promise<void>(resolve => broker.close(() => resolve()));
    sockets.disconnectSockets(true);
  };
}
