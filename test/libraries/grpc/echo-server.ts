import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import type { KeyPair } from '../../support/openssl-pki.js';
import { Echo, StatusSchema } from './generated/echo_pb.js';

interface Text {
  value: string;
}

const textOf = (value: string) => create(StringValueSchema, { value });

/** An error with details, as gRPC sends it. */
function failure() {
  const [code, details] = [status.FAILED_PRECONDITION, 'not now: %ü'];
  const any = anyPack(StringValueSchema, textOf('why'));
  const metadata = new Metadata();
  const full = create(StatusSchema, { code, message: details, details: [any] });
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, full)));
  return { code, details, metadata };
}

let cancelled = 0;

const say: handleUnaryCall<Text, Text> = (call: ServerUnaryCall<Text, Text>, answer: sendUnaryData<Text>) => {
  const { value } = call.request;
  if (value === 'fail') return answer(failure());
  if (value === 'cancelled') return answer(null, textOf(String(cancelled)));
  if (value === 'who') {
    const subject = call.getAuthContext().sslPeerCertificate?.subject as { CN?: string } | undefined;
    return answer(null, textOf(subject?.CN ?? ''));
  }
  const head = new Metadata();
  head.set('x-head', 'first');
  call.sendMetadata(head);
  const trailer = new Metadata();
  trailer.set('x-trailer', 'last');
  answer(null, textOf(value), trailer);
};

const handlers: Record<keyof typeof Echo.method, UntypedHandleCall> = {
  say,
  count: (call: ServerWritableStream<{ value: number }, Text>) => {
    for (let at = 0; at < call.request.value; at++) call.write(textOf(String(at)));
    call.end();
  },
  join: (call: ServerReadableStream<Text, Text>, answer: sendUnaryData<Text>) => {
    const all: string[] = [];
    call.on('data', ({ value }: Text) => all.push(value));
    call.on('end', () => answer(null, textOf(all.join(' '))));
  },
  chat: (call: ServerDuplexStream<Text, Text>) => {
    call.on('data', (message: Text) => {
      if (message.value === 'fail') call.emit('error', failure());
      else call.write(message);
    });
    call.on('end', () => call.end());
    call.on('cancelled', () => cancelled++);
  },
  wait: (call: ServerWritableStream<Text, Text>) => void call.on('cancelled', () => cancelled++),
};

/** The service `Echo` by `@grpc/grpc-js`, which demands a client certificate. Gives its port. */
export async function startEchoServer(
  pair: KeyPair,
  clientCa: string,
): Promise<{ port: number; stop(): void }> {
  const server = new Server();
  const definitions = Object.entries(Echo.method).map(([name, method]) => [name, definitionOf(method)]);
  server.addService(Object.fromEntries(definitions), handlers);
  const keys = [{ private_key: Buffer.from(pair.key), cert_chain: Buffer.from(pair.cert) }];
  const credentials = ServerCredentials.createSsl(Buffer.from(clientCa), keys, true);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
  return { port, stop: () => server.forceShutdown() };
}

function definitionOf({ parent, name, methodKind, input, output }: DescMethod): MethodDefinition<Text, Text> {
  const writer = (schema: DescMessage) => (message: Text) =>
    Buffer.from(toBinary(schema, message as unknown as MessageShape<DescMessage>));
  const reader = (schema: DescMessage) => (bytes: Buffer) => fromBinary(schema, bytes) as unknown as Text;
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    requestSerialize: writer(input),
    requestDeserialize: reader(input),
    responseSerialize: writer(output),
    responseDeserialize: reader(output),
  };
}
