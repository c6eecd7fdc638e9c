import type { TunnelStream } from '../../src/index.js';
import { ServerRecords13, suites } from './server-records.js';

const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const DATA = 23;
const HEADER_BYTES = 5;

/** The suite that servers over TLS 1.3 are to choose. */
export const ALTERED_SUITE = 'TLS_AES_128_GCM_SHA256';

/** Makes of the content of a handshake record what is sent in its place: the contents of records. */
export type Alter = (content: Buffer) => Buffer[];

/**
 * A tunnel to a server whose handshake records are altered: in TLS 1.2 those in the clear, in TLS 1.3 the protected ones, which are
 * sealed anew with the secrets that the server has logged. All of it comes as one piece.
 */
export function altered(
  { readable, writable }: TunnelStream,
  { secrets, alter }: { secrets: Map<string, Buffer>; alter: Alter },
): TunnelStream {
  const reader = readable.getReader();
  const rewrite = rewriter(secrets, alter);
  let incoming = Buffer.alloc(0);
  return {
    readable: new ReadableStream(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          incoming = Buffer.concat([incoming, value]);
          const records: Buffer[] = [];
          while (
            incoming.length >= HEADER_BYTES &&
            incoming.length >= HEADER_BYTES + incoming.readUInt16BE(3)
          ) {
            const end = HEADER_BYTES + incoming.readUInt16BE(3);
            records.push(...rewrite(incoming.subarray(0, end)));
            incoming = incoming.subarray(end);
          }
          controller.enqueue(Buffer.concat(records));
        },
        cancel: reason => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    ),
    writable,
  };
}

function rewriter(secrets: Map<string, Buffer>, alter: Alter): (record: Buffer) => Buffer[] {
  let [opening, sealing]: (ServerRecords13 | undefined)[] = [];
  let isClear = true;
  return record => {
    if (record[0] === CHANGE_CIPHER_SPEC) isClear = false;
    if (record[0] === HANDSHAKE && isClear) return alter(record.subarray(HEADER_BYTES)).map(inTheClear);
    if (record[0] !== DATA) return [record];
    const secret = secrets.get('SERVER_HANDSHAKE_TRAFFIC_SECRET');
    if (!secret) return [record];
    opening ??= new ServerRecords13(suites[ALTERED_SUITE], secret);
    sealing ??= new ServerRecords13(suites[ALTERED_SUITE], secret);
    const { type, content } = opening.open(record) ?? {};
    if (type !== HANDSHAKE || !content) return [record];
    return alter(content).map(it => sealing?.seal(HANDSHAKE, it) ?? record);
  };
}

function inTheClear(content: Buffer): Buffer {
  const header = Buffer.of(HANDSHAKE, 3, 3, 0, 0);
  header.writeUInt16BE(content.length, 3);
  return Buffer.concat([header, content]);
}
