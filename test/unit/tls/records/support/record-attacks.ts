import type { ServerRecords12, ServerRecords13 } from '../../../../support/server-records.js';

export const ALERT = 21;
export const HANDSHAKE = 22;
export const DATA = 23;
const CHANGE_CIPHER_SPEC = 20;

const CLOSE_NOTIFY = 0;
export const UNEXPECTED_MESSAGE = 10;
const BAD_RECORD_MAC = 20;
const RECORD_OVERFLOW = 22;
const ILLEGAL_PARAMETER = 47;
const DECODE_ERROR = 50;
export const USER_CANCELED = 90;
const NO_RENEGOTIATION = 100;

const FULL = 16_384;

type Records = ServerRecords12 | ServerRecords13;
/** What goes out in the server's name behind `hello `. */
export type Attack<Of extends Records = Records> = (records: Of) => Buffer[];

export interface Refused<Of extends Records = Records> {
  name: string;
  /** The alert that the server gets. */
  alert: number | undefined;
  /** Default: ERR_TLS_PROTOCOL. */
  code?: string;
  attack: Attack<Of>;
}

/** Ends with `world`. */
export interface Harmless<Of extends Records = Records> {
  name: string;
  attack: Attack<Of>;
}

export const text = (value: string) => Buffer.from(value);
const world = (records: Records) => records.seal(DATA, text('world'));
const message = (type: number, body: Uint8Array) => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length + type * 2 ** 24);
  return Buffer.concat([header, body]);
};
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** The record with other bytes at the beginning of its header. */
const relabelled = (record: Buffer, ...header: number[]) =>
  Buffer.concat([Buffer.from(header), record.subarray(header.length)]);
/** As it stands, without protection. */
const bare = (type: number, body: Buffer) => {
  const header = Buffer.of(type, 3, 3, 0, 0);
  header.writeUInt16BE(body.length, 3);
  return Buffer.concat([header, body]);
};
const bytewise = (records: Records, type: number, content: Buffer) =>
  [...content].map(byte => records.seal(type, Buffer.of(byte)));

const keyUpdate = (request: number) => message(24, Buffer.of(request));
const updated = (records: ServerRecords13, request: number): Buffer => {
  const announced = records.seal(HANDSHAKE, keyUpdate(request));
  records.nextKeys();
  return announced;
};

/** RFC 8446 section 4.6.1: an hour, no offset, a nonce of one byte, a ticket, extensions. */
const ticket = (nonce: number, { extensions = Buffer.alloc(0), bytes = 32 } = {}) => {
  const lengths = Buffer.alloc(4);
  lengths.writeUInt16BE(bytes, 0);
  lengths.writeUInt16BE(extensions.length, 2);
  return message(
    4,
    Buffer.concat([
      Buffer.of(0, 0, 14, 16, 0, 0, 0, 0, 1, nonce),
      lengths.subarray(0, 2),
      Buffer.alloc(bytes, nonce),
      lengths.subarray(2),
      extensions,
    ]),
  );
};
/** early_data with a limit of 0. */
const earlyData = Buffer.of(0, 42, 0, 4, 0, 0, 0, 0);
/** RFC 8446 section 4.3.2: a context of four bytes, and ecdsa_secp256r1_sha256. */
const certificateRequest = message(13, Buffer.of(4, 1, 2, 3, 4, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3));
const helloRequest = message(0, Buffer.alloc(0));

export const harmless: Harmless[] = [
  { name: 'data cut into records of one byte', attack: r => bytewise(r, DATA, text('world')) },
  { name: 'a full record', attack: r => [r.seal(DATA, Buffer.alloc(FULL, '.')), world(r)] },
  { name: '32 empty records', attack: r => [...times(32, () => r.seal(DATA, text(''))), world(r)] },
  {
    name: 'more empty records, with data between them',
    attack: r => [
      ...times(40, () => [...times(20, () => r.seal(DATA, text(''))), r.seal(DATA, text('.'))]).flat(),
      world(r),
    ],
  },
  {
    name: 'warnings',
    attack: r => [...times(4, () => r.seal(ALERT, Buffer.of(1, USER_CANCELED))), world(r)],
  },
];

export const refused: Refused[] = [
  {
    name: 'a fatal alert',
    alert: undefined,
    code: 'ERR_TLS_ALERT',
    attack: r => [r.seal(ALERT, Buffer.of(2, 80))],
  },
  ...[0, 3, 66, 255].map(level => ({
    name: `an alert of level ${level}`,
    alert: ILLEGAL_PARAMETER,
    code: 'ERR_TLS_ALERT',
    attack: (r: Records) => [r.seal(ALERT, Buffer.of(level, 80))],
  })),
  { name: 'an empty alert', alert: UNEXPECTED_MESSAGE, attack: r => [r.seal(ALERT, text(''))] },
  { name: 'half an alert', alert: DECODE_ERROR, attack: r => [r.seal(ALERT, Buffer.of(2))] },
  { name: 'an alert and a byte', alert: DECODE_ERROR, attack: r => [r.seal(ALERT, Buffer.of(1, 0, 0))] },
  {
    name: 'two alerts in a record',
    alert: DECODE_ERROR,
    attack: r => [r.seal(ALERT, Buffer.of(1, USER_CANCELED, 1, CLOSE_NOTIFY))],
  },
  {
    name: 'an alert cut into two records',
    alert: DECODE_ERROR,
    attack: r => bytewise(r, ALERT, Buffer.of(1, CLOSE_NOTIFY)),
  },
  {
    name: 'a fifth warning',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(5, () => r.seal(ALERT, Buffer.of(1, USER_CANCELED))),
  },
  {
    name: 'a fifth warning, with data between them',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(5, () => [r.seal(ALERT, Buffer.of(1, USER_CANCELED)), r.seal(DATA, text('x'))]).flat(),
  },
  {
    name: 'an empty handshake record',
    alert: UNEXPECTED_MESSAGE,
    attack: r => [r.seal(HANDSHAKE, text(''))],
  },
  {
    name: 'a 33rd empty record',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(33, () => r.seal(DATA, text(''))),
  },
  {
    name: 'a record with too much content',
    alert: RECORD_OVERFLOW,
    attack: r => [r.seal(DATA, Buffer.alloc(FULL + 1))],
  },
  {
    name: 'a record that announces too much',
    alert: RECORD_OVERFLOW,
    attack: () => [Buffer.of(23, 3, 3, 255, 255)],
  },
  {
    name: 'a record that is sealed twice over',
    alert: BAD_RECORD_MAC,
    attack: r => {
      const record = r.seal(DATA, text('x'));
      return [record, record];
    },
  },
  ...[0, 7, 15, 16, 23, 24, 32].map(length => ({
    name: `${length} bytes that nobody has sealed`,
    alert: BAD_RECORD_MAC,
    attack: () => [bare(DATA, Buffer.alloc(length))],
  })),
  {
    name: 'a change_cipher_spec in the clear',
    alert: UNEXPECTED_MESSAGE,
    attack: () => [bare(CHANGE_CIPHER_SPEC, Buffer.of(1))],
  },
  ...[CHANGE_CIPHER_SPEC, 24, 99].map(type => ({
    name: `a sealed record of type ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records) => [r.seal(type, Buffer.of(1))],
  })),
  ...[0, 19, 20, 24, 72, 128, 255].map(type => ({
    name: `a record labelled ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records) => [relabelled(r.seal(DATA, text('x')), type)],
  })),
  ...[0, 2, 4, 254].map(major => ({
    name: `a record of version ${major}.3`,
    alert: DECODE_ERROR,
    attack: (r: Records) => [relabelled(r.seal(DATA, text('x')), DATA, major)],
  })),
  ...[1, 2, 11, 14, 16, 20, 99, 255].map(type => ({
    name: `a handshake message of type ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records) => [r.seal(HANDSHAKE, message(type, Buffer.alloc(32)))],
  })),
  {
    name: 'a handshake message without end',
    alert: ILLEGAL_PARAMETER,
    attack: r => {
      const endless = Buffer.concat([Buffer.of(4, 0xff, 0xff, 0xff), Buffer.alloc(100_000)]);
      return times(7, i => r.seal(HANDSHAKE, endless.subarray(i * 16_000, (i + 1) * 16_000)));
    },
  },
  {
    name: 'data within a handshake message',
    alert: UNEXPECTED_MESSAGE,
    attack: r => [r.seal(HANDSHAKE, ticket(1).subarray(0, 9)), r.seal(DATA, text('x'))],
  },
  {
    name: 'an empty record within a handshake message',
    alert: UNEXPECTED_MESSAGE,
    attack: r => [r.seal(HANDSHAKE, ticket(1).subarray(0, 3)), r.seal(DATA, text(''))],
  },
  {
    name: 'close_notify within a handshake message',
    alert: UNEXPECTED_MESSAGE,
    attack: r => [r.seal(HANDSHAKE, Buffer.of(4)), r.seal(ALERT, Buffer.of(1, CLOSE_NOTIFY))],
  },
];

type Records13 = ServerRecords13;
const inner = (content: number, padding: number) =>
  Buffer.concat([Buffer.alloc(content, 'x'), Buffer.of(DATA), Buffer.alloc(padding)]);

export const harmless13: Harmless<Records13>[] = [
  ...harmless,
  ...[0, 1, FULL - 5].map(padding => ({
    name: `${padding} bytes of padding`,
    attack: (r: Records13) => [
      r.sealInner(Buffer.concat([text('world'), Buffer.of(DATA), Buffer.alloc(padding)])),
    ],
  })),
  ...[0, 1, 4, 255].map(minor => ({
    name: `a record of version 3.${minor}`,
    attack: (r: Records13) => [relabelled(world(r), DATA, 3, minor)],
  })),
  {
    name: '1,024 session tickets',
    attack: r => [...times(1024, i => r.seal(HANDSHAKE, ticket(i % 256))), world(r)],
  },
  {
    name: 'a session ticket cut into records of one byte',
    attack: r => [...bytewise(r, HANDSHAKE, ticket(1)), world(r)],
  },
  {
    name: 'a session ticket of 60,000 bytes',
    attack: r => {
      const large = ticket(1, { bytes: 60_000 });
      return [...times(4, i => r.seal(HANDSHAKE, large.subarray(i * FULL, (i + 1) * FULL))), world(r)];
    },
  },
  {
    name: 'session tickets and a half in a record, and the other half with a key update',
    attack: r => {
      const half = 20;
      const first = r.seal(HANDSHAKE, Buffer.concat([ticket(1), ticket(2), ticket(3).subarray(0, half)]));
      const second = r.seal(HANDSHAKE, Buffer.concat([ticket(3).subarray(half), keyUpdate(0)]));
      r.nextKeys();
      return [first, second, world(r)];
    },
  },
  {
    name: 'a key update cut into records of one byte',
    attack: r => {
      const cut = bytewise(r, HANDSHAKE, keyUpdate(0));
      r.nextKeys();
      return [...cut, world(r)];
    },
  },
  ...[0, 1].flatMap(request => [
    {
      name: `32 key updates (${request})`,
      attack: (r: Records13) => [...times(32, () => updated(r, request)), world(r)],
    },
    {
      name: `more key updates (${request}), with data between them`,
      attack: (r: Records13) => [
        ...times(80, () => [updated(r, request), r.seal(DATA, text('.'))]).flat(),
        world(r),
      ],
    },
  ]),
];

export const refused13: Refused<Records13>[] = [
  ...refused,
  ...[
    [FULL, 1],
    [8193, 8192],
    [1, FULL],
    [0, FULL + 1],
    [FULL - 1, 240],
  ].map(([content = 0, padding = 0]) => ({
    name: `${content} bytes with ${padding} of padding`,
    alert: RECORD_OVERFLOW,
    attack: (r: Records13) => [r.sealInner(inner(content, padding))],
  })),
  ...[0, 1, 16, FULL + 1].map(length => ({
    name: `${length} bytes of padding and nothing else`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records13) => [r.sealInner(Buffer.alloc(length))],
  })),
  {
    name: 'an alert with nothing but padding',
    alert: UNEXPECTED_MESSAGE,
    attack: r => [r.sealInner(Buffer.of(ALERT, 0, 0))],
  },
  ...[ALERT, HANDSHAKE].map(type => ({
    name: `a record labelled ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records13) => [relabelled(r.seal(DATA, text('x')), type)],
  })),
  {
    name: 'an alert in the clear',
    alert: UNEXPECTED_MESSAGE,
    attack: () => [bare(ALERT, Buffer.of(2, 40))],
  },
  {
    name: 'an error that says it is a warning',
    alert: DECODE_ERROR,
    code: 'ERR_TLS_ALERT',
    attack: r => [r.seal(ALERT, Buffer.of(1, 80))],
  },
  {
    name: 'a request for a certificate, which was not agreed to',
    alert: UNEXPECTED_MESSAGE,
    code: 'ERR_TLS_RENEGOTIATION',
    attack: r => [r.seal(HANDSHAKE, certificateRequest)],
  },
  ...[0, 5, 8, 15, 254].map(type => ({
    name: `a handshake message of type ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records13) => [r.seal(HANDSHAKE, message(type, Buffer.alloc(32)))],
  })),
  ...[2, 255].map(request => ({
    name: `a key update of value ${request}`,
    alert: ILLEGAL_PARAMETER,
    attack: (r: Records13) => [updated(r, request)],
  })),
  ...[0, 2].map(length => ({
    name: `a key update of ${length} bytes`,
    alert: DECODE_ERROR,
    attack: (r: Records13) => [r.seal(HANDSHAKE, message(24, Buffer.alloc(length)))],
  })),
  ...[ticket(1), ticket(1).subarray(0, 1), keyUpdate(0)].map((behind, i) => ({
    name: `a key update that is not the end of its record, ${i}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records13) => [r.seal(HANDSHAKE, Buffer.concat([keyUpdate(0), behind]))],
  })),
  {
    name: 'old keys behind a key update',
    alert: BAD_RECORD_MAC,
    attack: r => [r.seal(HANDSHAKE, keyUpdate(0)), r.seal(DATA, text('x'))],
  },
  ...[0, 1].flatMap(request => [
    {
      name: `a 33rd key update (${request})`,
      alert: UNEXPECTED_MESSAGE,
      attack: (r: Records13) => times(33, () => updated(r, request)),
    },
    {
      name: `a 33rd key update (${request}), with empty records and tickets between them`,
      alert: UNEXPECTED_MESSAGE,
      attack: (r: Records13) =>
        times(33, i => [
          updated(r, request),
          ...(i < 32 ? [r.seal(DATA, text('')), r.seal(HANDSHAKE, ticket(i))] : []),
        ]).flat(),
    },
  ]),
  {
    name: '33 key updates, of which some are requests',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(33, i => updated(r, i % 2)),
  },
  {
    name: 'a 33rd empty record, with tickets between them',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(33, i => [r.seal(HANDSHAKE, ticket(i)), r.seal(DATA, text(''))]).flat(),
  },
  {
    name: 'a 1,025th session ticket',
    alert: UNEXPECTED_MESSAGE,
    attack: r => times(1025, i => r.seal(HANDSHAKE, ticket(i % 256))),
  },
  {
    name: 'a damaged session ticket',
    alert: DECODE_ERROR,
    attack: r => [r.seal(HANDSHAKE, message(4, Buffer.of(1, 2, 3)))],
  },
  {
    name: 'a session ticket without a ticket',
    alert: DECODE_ERROR,
    attack: r => [r.seal(HANDSHAKE, ticket(1, { bytes: 0 }))],
  },
  {
    name: 'a session ticket with an extension twice',
    alert: ILLEGAL_PARAMETER,
    attack: r => [r.seal(HANDSHAKE, ticket(1, { extensions: Buffer.concat([earlyData, earlyData]) }))],
  },
];

type Records12 = ServerRecords12;

export const harmless12: Harmless<Records12>[] = [
  ...harmless,
  {
    name: 'warnings of other kinds',
    attack: r => [...[NO_RENEGOTIATION, 80, 41, 255].map(it => r.seal(ALERT, Buffer.of(1, it))), world(r)],
  },
];

export const refused12: Refused<Records12>[] = [
  ...refused,
  ...[0, 1, 2, 4, 255].map(minor => ({
    name: `a record of version 3.${minor}`,
    alert: BAD_RECORD_MAC,
    attack: (r: Records12) => [relabelled(r.seal(DATA, text('x')), DATA, 3, minor)],
  })),
  {
    name: 'data labelled as an alert',
    alert: BAD_RECORD_MAC,
    attack: r => [relabelled(r.seal(DATA, text('x')), ALERT)],
  },
  {
    name: 'an alert in the clear',
    alert: BAD_RECORD_MAC,
    attack: () => [bare(ALERT, Buffer.of(2, 40))],
  },
  {
    name: 'a request for another handshake',
    alert: NO_RENEGOTIATION,
    code: 'ERR_TLS_RENEGOTIATION',
    attack: r => [r.seal(HANDSHAKE, helloRequest)],
  },
  {
    name: 'a request for another handshake cut into records of one byte',
    alert: NO_RENEGOTIATION,
    code: 'ERR_TLS_RENEGOTIATION',
    attack: r => bytewise(r, HANDSHAKE, helloRequest),
  },
  {
    name: 'a damaged request for another handshake',
    alert: DECODE_ERROR,
    attack: r => [r.seal(HANDSHAKE, message(0, Buffer.of(1)))],
  },
  ...[4, 22, 24].map(type => ({
    name: `a handshake message of type ${type}`,
    alert: UNEXPECTED_MESSAGE,
    attack: (r: Records12) => [r.seal(HANDSHAKE, message(type, Buffer.alloc(8)))],
  })),
];
