// What a page does with the gRPC server. `transport` is the example of docs/grpc.md.
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createClient as createMtlsClient, type MtlsClient, openPkcs12 } from 'browser-mtls';
import { Echo } from './generated/echo_pb.js';

export interface Task {
  tunnel: string;
  baseUrl: string;
  /** The .p12 file, in base64, and its password. */
  file: string;
  password: string;
  anchor: string;
}

export interface Findings {
  who: string;
  counted: number;
  /** What came back, each before the next message was sent. */
  answers: string[];
  ended: boolean;
  failure: { code: number; details: string[] };
}

type GrpcTransport = (client: MtlsClient, baseUrl: string) => Transport;

/** Makes calls of three kinds. */
export async function callFromPage(grpcTransport: GrpcTransport, task: Task): Promise<Findings> {
  const bytes = Uint8Array.from(atob(task.file), it => it.charCodeAt(0));
  const { identities } = await openPkcs12(new Blob([bytes]), { password: task.password });
  const client = await createMtlsClient({
    tunnel: task.tunnel,
    identities,
    trust: { anchors: [task.anchor] },
  });
  try {
    const echo = createClient(Echo, grpcTransport(client, task.baseUrl));
    const { value: who } = await echo.say({ value: 'who' });
    let counted = 0;
    for await (const { value } of echo.count({ value: 100 })) counted += Number(value) + 1;
    const failure = await echo.say({ value: 'fail' }).then(
      () => new ConnectError('no error'),
      (error: unknown) => ConnectError.from(error),
    );
    const details = failure.findDetails(StringValueSchema).map(({ value }) => value);
    return { who, counted, ...(await pingPong(echo.chat)), failure: { code: failure.code, details } };
  } finally {
    await client.close();
  }
}

type Chat = ReturnType<typeof createClient<typeof Echo>>['chat'];

async function pingPong(chat: Chat): Promise<Pick<Findings, 'answers' | 'ended'>> {
  let sendNext = () => {};
  async function* messages() {
    for (let at = 0; at < 10; at++) {
      yield create(StringValueSchema, { value: `message ${at}` });
      await new Promise<void>(resolve => {
        sendNext = resolve;
      });
    }
  }
  const answers: string[] = [];
  for await (const { value } of chat(messages())) {
    answers.push(value);
    sendNext();
  }
  return { answers, ended: true };
}
