import type net from 'node:net';
import { serveRaw, type TestServer } from './servers.js';

export const Frame = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

const PREFACE_BYTES = 24;

/** One frame (RFC 9113 section 4.1). */
export function frame(
  [type, flags = 0]: [type: number, flags?: number],
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block of literal fields, none of them remembered (RFC 7541 section 6.2.2). */
export function block(fields: [name: string, value: string][]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]).concat(Buffer.alloc(0)),
  );
}

/** A response's head without more ado. */
export function headers(stream: number, fields: [string, string][], flags = END_HEADERS): Buffer {
  return frame([Frame.headers, flags], stream, block(fields));
}

/** RFC 7541 section 5.2, without Huffman coding. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const length: number[] = [];
  let rest = bytes.length;
  if (rest < 127) length.push(rest);
  else {
    length.push(127);
    for (rest -= 127; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** An h2 server that does for each request (by the number of its stream) what `answer` does, on frames of its own. */
export function serveFrames(
  answer: (socket: net.Socket, stream: number) => void,
  onPing: (socket: net.Socket) => void = () => {},
  onData: (socket: net.Socket, data: { stream: number; flags: number; length: number }) => void = () => {},
): Promise<TestServer> {
  return serveRaw(socket => {
    let unread = Buffer.alloc(0);
    let greeted = false;
    socket.write(frame([Frame.settings], 0));
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      if (!greeted && unread.length >= PREFACE_BYTES) {
        greeted = true;
        unread = unread.subarray(PREFACE_BYTES);
      }
      while (greeted && unread.length >= 9 && unread.length >= 9 + unread.readUIntBE(0, 3)) {
        const [length, type, flags] = [unread.readUIntBE(0, 3), unread[3], unread[4] ?? 0];
        const stream = unread.readUInt32BE(5);
        unread = unread.subarray(9 + length);
        if (type === Frame.headers) answer(socket, stream);
        if (type === Frame.data) onData(socket, { stream, flags, length });
        if (type === Frame.ping) onPing(socket);
        if (type === Frame.settings && !(flags & ACK)) socket.write(frame([Frame.settings, ACK], 0));
      }
    });
  });
}
