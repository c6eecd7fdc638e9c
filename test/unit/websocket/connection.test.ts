import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { closeFrame, endOf, frame, opened, Stage, switching } from './support/servers.js';

const stage = new Stage();
afterEach(() => stage.reset());
afterAll(() => stage.close());

/** Everything that the peer gets, with the client's frames unmasked. */
function framesOf(socket: TLSSocket): { opcode: number; payload: Buffer }[] {
  const frames: { opcode: number; payload: Buffer }[] = [];
  let bytes = Buffer.alloc(0);
  socket.on('data', data => {
    bytes = Buffer.concat([bytes, data]);
    while (bytes.length >= 6) {
      const length = (bytes[1] as number) & 127;
      if (length > 125 || bytes.length < 6 + length) return;
      const mask = bytes.subarray(2, 6);
      const payload = bytes.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i & 3] as number));
      if (((bytes[0] as number) & 15) === opcodeOf.close) socket.end();
      frames.push({ opcode: (bytes[0] as number) & 15, payload: Buffer.from(payload) });
      bytes = bytes.subarray(6 + length);
    }
  });
  return frames;
}

const opcodeOf = { close: 8, pong: 10 };

/** What a server's bytes come to: its messages, what the client sent, and how it ended. */
async function exchange(bytes: Buffer | Buffer[], maxMessageBytes?: number) {
  const sent: ReturnType<typeof framesOf>[] = [];
  const url = await stage.serveRaw(async (socket, request) => {
    sent.push(framesOf(socket));
    socket.write(switching(request));
    for (const piece of [bytes].flat()) {
      socket.write(piece);
      if (Array.isArray(bytes)) await new Promise(resolve => setTimeout(resolve, 1));
    }
  });
  const client = await (maxMessageBytes
    ? stage.client({ webSocket: { maxMessageBytes } })
    : stage.sharedClient());
  const socket = new client.WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const received: unknown[] = [];
  socket.onmessage = ({ data }) =>
    received.push(typeof data === 'string' ? data : Buffer.from(data).toString('hex'));
  const end = await endOf(socket);
  await expect.poll(() => sent[0]?.some(it => it.opcode === opcodeOf.close)).toBe(true);
  const told = sent[0]?.find(it => it.opcode === opcodeOf.close)?.payload;
  return {
    received,
    pongs: (sent[0] ?? []).filter(it => it.opcode === opcodeOf.pong).map(it => it.payload.toString()),
    toldCode: told && told.length >= 2 ? told.readUInt16BE() : undefined,
    end,
  };
}

const goodbye = closeFrame(1000);
const join = (...parts: Buffer[]) => Buffer.concat(parts);

// The same kinds of cases as those of the Autobahn testsuite, by its groups of names.
describe('what a server may send', () => {
  const cases: [name: string, bytes: Buffer, received: unknown[], pongs?: string[]][] = [
    ['1 text and binary, empty', join(frame(0x81), frame(0x82)), ['', '']],
    ['1 a length of 16 bits', frame(0x82, Buffer.alloc(126, 1)), ['01'.repeat(126)]],
    ['1 a length of 64 bits', frame(0x82, Buffer.alloc(65_536, 1)), ['01'.repeat(65_536)]],
    ['2 a ping', frame(0x89, 'hello'), [], ['hello']],
    ['2 a ping of 125 bytes', frame(0x89, 'x'.repeat(125)), [], ['x'.repeat(125)]],
    ['2 a pong that nobody asked for', frame(0x8a, 'hello'), []],
    ['5 fragments', join(frame(0x01, 'a'), frame(0x00, 'b'), frame(0x80, 'c')), ['abc']],
    ['5 empty fragments', join(frame(0x02), frame(0x00), frame(0x80)), ['']],
    [
      '5 a ping between fragments',
      join(frame(0x01, 'a'), frame(0x89, 'now'), frame(0x80, 'b')),
      ['ab'],
      ['now'],
    ],
    [
      '6 a character across fragments',
      join(
        frame(0x01, Buffer.from([0xe2])),
        frame(0x00, Buffer.from([0x82])),
        frame(0x80, Buffer.from([0xac])),
      ),
      ['€'],
    ],
    ['6 a byte order mark is text', frame(0x81, '\ufeffx'), ['\ufeffx']],
    ['6 non-characters and the last code point', frame(0x81, '\ufffe\u{10ffff}'), ['\ufffe\u{10ffff}']],
    ['7 messages behind the Close are not heard', join(closeFrame(1000), frame(0x81, 'late')), []],
    [
      '9 a thousand fragments',
      join(frame(0x01), ...Array.from({ length: 999 }, () => frame(0x00, 'x')), frame(0x80)),
      ['x'.repeat(999)],
    ],
  ];
  it.each(cases)('%s', async (_, bytes, received, pongs = []) => {
    const whole = join(bytes, goodbye);
    expect(await exchange(whole)).toEqual({
      received,
      pongs,
      toldCode: 1000,
      end: { code: 1000, reason: '', wasClean: true },
    });
    // The same in pieces of few bytes.
    if (whole.length > 2_000) return;
    const pieces = Array.from({ length: Math.ceil(whole.length / 3) }, (_it, i) =>
      whole.subarray(i * 3, i * 3 + 3),
    );
    expect(await exchange(pieces)).toMatchObject({ received, end: { wasClean: true } });
  });

  it.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])(
    '7 Close with code %i',
    async code => {
      const { end, toldCode } = await exchange(closeFrame(code, 'grüße'));
      expect(end).toEqual({ code, reason: 'grüße', wasClean: true });
      expect(toldCode).toBe(code);
    },
  );

  it('7 Close without a code', async () => {
    const { end, toldCode } = await exchange(frame(0x88));
    expect(end).toEqual({ code: 1005, reason: '', wasClean: true });
    expect(toldCode).toBeUndefined();
  });

  it('2 many pings: the last one is answered', async () => {
    const pings = Array.from({ length: 1000 }, (_, i) => frame(0x89, `${i}`));
    const { pongs } = await exchange([join(...pings), goodbye]);
    expect(pongs.at(-1)).toBe('999');
  });
});

describe('what a server may not send', () => {
  const protocol: [name: string, bytes: Buffer][] = [
    ['2 a ping of 126 bytes', frame(0x89, 'x'.repeat(126))],
    ['3 the first reserved bit', frame(0xc1, 'x')],
    ['3 the second reserved bit', frame(0xa1, 'x')],
    ['3 the third reserved bit', frame(0x91, 'x')],
    ['3 a reserved bit in a ping', frame(0xc9, 'x')],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((it): [string, Buffer] => [
      `4 opcode ${it}`,
      frame(0x80 | it),
    ]),
    ['5 a fragmented ping', join(frame(0x09, 'a'), frame(0x80, 'b'))],
    ['5 a continuation of nothing', frame(0x80, 'x')],
    ['5 a message within another', join(frame(0x01, 'a'), frame(0x81, 'b'))],
    ['5 a continuation behind the end', join(frame(0x81, 'a'), frame(0x80, 'b'))],
    ['7 a Close with half a code', frame(0x88, 'x')],
    ['7 a Close of 126 bytes', frame(0x88, Buffer.alloc(126, 3))],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((it): [string, Buffer] => [
      `7 Close with code ${it}`,
      closeFrame(it),
    ]),
    ['a masked frame', Buffer.from([0x81, 0x81, 0, 0, 0, 0, 120])],
    ['a length of 16 bits that is too short for it', frame(0x81, 'x', [126, 0, 1])],
    ['a length of 64 bits that is too short for it', frame(0x81, 'x', [127, 0, 0, 0, 0, 0, 0, 0, 1])],
    ['a negative length', frame(0x81, 'x', [127, 128, 0, 0, 0, 0, 0, 0, 1])],
  ];
  it.each(protocol)('%s', async (_, bytes) => {
    const { end, toldCode } = await exchange(bytes);
    expect(end).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_WEBSOCKET_PROTOCOL' });
    expect(toldCode).toBe(1002);
  });

  const wrong = [
    [0xc0, 0xaf],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xff],
    [0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
  ].map(it => Buffer.from(it));
  const text: [name: string, bytes: Buffer][] = [
    ...wrong.map((it): [string, Buffer] => [`6 text ${it.toString('hex')}`, frame(0x81, it)]),
    ['6 text that ends within a character', join(frame(0x01, 'a'), frame(0x80, Buffer.from([0xe2, 0x82])))],
    ['7 a reason that is not UTF-8', closeFrame(1000, Buffer.from([0xff]))],
  ];
  it.each(text)('%s', async (_, bytes) => {
    const { received, end, toldCode } = await exchange(bytes);
    expect(received).toEqual([]);
    expect(end).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_WEBSOCKET_PROTOCOL' });
    expect(toldCode).toBe(1007);
  });

  it.each([
    ['in one frame, told before it comes', frame(0x82, '', [127, 0, 0, 0, 255, 255, 255, 255, 255])],
    ['of 1,001 bytes', frame(0x82, Buffer.alloc(1001))],
    ['in fragments', join(frame(0x02, Buffer.alloc(600)), frame(0x00, Buffer.alloc(401)))],
  ])('a message beyond maxMessageBytes %s', async (_, bytes) => {
    const { end, toldCode } = await exchange(join(frame(0x82, Buffer.alloc(1000)), bytes), 1000);
    expect(end).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_WEBSOCKET_TOO_LARGE' });
    expect(toldCode).toBe(1009);
  });

  it('an end of TLS without a Close', async () => {
    const url = await stage.serveRaw((socket, request) => socket.end(switching(request)));
    const client = await stage.sharedClient();
    expect(await endOf(new client.WebSocket(url))).toMatchObject({
      code: 1006,
      error: 'ERR_WEBSOCKET_CLOSED',
    });
  });
});

describe('a server that does not take part in closing', () => {
  it('is left after its Close was answered', async () => {
    const sockets: TLSSocket[] = [];
    const url = await stage.serveRaw((socket, request) => {
      sockets.push(socket);
      socket.write(join(Buffer.from(switching(request)), goodbye));
    });
    const client = await stage.sharedClient();
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ code: 1000, wasClean: true });
    await expect.poll(() => sockets[0]?.destroyed, { timeout: 5_000 }).toBe(true);
  });

  it('fails the socket when it gives no Close', async () => {
    const url = await stage.serveRaw((socket, request) => socket.write(switching(request)));
    const client = await stage.sharedClient();
    const socket = await opened(new client.WebSocket(url));
    socket.close(1000);
    expect(await endOf(socket)).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_WEBSOCKET_CLOSED' });
  }, 20_000);
});

it('a webSocket.maxMessageBytes that is no limit is a TypeError', async () => {
  await expect(stage.client({ webSocket: { maxMessageBytes: 0 } })).rejects.toThrow(TypeError);
});
