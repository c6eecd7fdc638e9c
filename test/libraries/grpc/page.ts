// What a page does with the gRPC server.
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError, createClient, type Transport } from '@connectrpc/connect';
import type { MtlsClient } from 'browser-mtls';
import { clientOfPage } from '../page-client.js';
import type { PageTask } from '../page-script.js';
import { Echo } from './generated/echo_pb.js';

export interface Findings {
  who: string;
  counted: number;
  /** What the server made of several messages. */
  joined: string;
  /** What came back, each before the next message was sent. */
  answers: string[];
  ended: boolean;
  failure: { code: number; details: string[] };
}

/** The example of docs/grpc.md. */
export interface Examples {
  grpcTransport(client: MtlsClient, baseUrl: string): Transport;
}

/** Makes calls of all four kinds, and one that fails. */
export async function callFromPage(examples: Examples, task: PageTask): Promise<Findings> {
  const client = await clientOfPage(task);
  try {
    const echo = createClient(Echo, examples.grpcTransport(client, task.origin));
    const { value: who } = await echo.say({ value: 'who' });
    let counted = 0;
    for await (const { value } of echo.count({ value: 100 })) counted += Number(value) + 1;
    const { value: joined } = await echo.join(texts(5));
    const failure = await echo.say({ value: 'fail' }).then(
      () => new ConnectError('no error'),
      (error: unknown) => ConnectError.from(error),
    );
    const details = failure.findDetails(StringValueSchema).map(({ value }) => value);
    return { who, counted, joined, ...(await pingPong(echo.chat)), failure: { code: failure.code, details } };
  } finally {
    await client.close();
  }
}

async function* texts(count: number) {
  for (let at = 0; at < count; at++) yield create(StringValueSchema, { value: `text ${at}` });
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
