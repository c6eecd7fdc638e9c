import { concatenated } from '../../../../src/util/bytes.js';
import { parseIpAddress } from '../addresses/ip-address.js';

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;
const MAX_RECORD_BYTES = 2 ** 14;
const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
/** A ClientHello with post-quantum key shares has 2 KB. */
const MAX_HELLO_BYTES = 2 ** 14;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** Why the first bytes of a connection are not what a page may send. */
export type ClientHelloFault =
  | 'not TLS'
  | 'not a ClientHello'
  | 'a malformed ClientHello'
  | 'a ClientHello for no name'
  | 'a ClientHello for another name';

/**
 * Whether a connection begins with a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) whose server name (RFC 6066
 * section 3) is this host; to an IP address it must have none.
 *
 * `bytes` are all that came until now, and `more` asks for more of them. The name in an encrypted ClientHello is not looked at: the outer
 * one counts.
 */
export function checkClientHello(bytes: Uint8Array, hostname: string): 'more' | 'ok' | ClientHelloFault {
  const content = handshakeBytes(bytes);
  if (typeof content === 'string') return content;
  if (content.length > 0 && content[0] !== CLIENT_HELLO) return 'not a ClientHello';
  if (content.length < HANDSHAKE_HEADER_BYTES) return 'more';
  const length = new Fields(content.subarray(1)).number(3) ?? 0;
  if (length > MAX_HELLO_BYTES) return 'a malformed ClientHello';
  const hello = content.subarray(HANDSHAKE_HEADER_BYTES, HANDSHAKE_HEADER_BYTES + length);
  return hello.length < length ? 'more' : judge(hello, hostname);
}

/** Messages that a ClientHello may come in: all that is there is looked at with each of them. */
const MAX_PIECES = 64;

/** Judges what a page sends first, of which the target gets nothing before the verdict. */
export class ClientHelloGate {
  readonly #hostname: string;
  #received: Uint8Array = new Uint8Array();
  #pieces = 0;

  constructor(hostname: string) {
    this.#hostname = hostname;
  }

  /** Takes the next bytes; `more`: the verdict needs what follows. */
  take(bytes: Uint8Array): 'more' | 'ok' | ClientHelloFault {
    if (++this.#pieces > MAX_PIECES) return 'a malformed ClientHello';
    this.#received = concatenated([this.#received, bytes]);
    return checkClientHello(this.#received, this.#hostname);
  }
}

function judge(hello: Uint8Array, hostname: string): 'ok' | ClientHelloFault {
  const names = serverNames(hello);
  if (!names) return 'a malformed ClientHello';
  const [name] = names;
  if (parseIpAddress(hostname)) return name === undefined ? 'ok' : 'a ClientHello for another name';
  if (name === undefined) return 'a ClientHello for no name';
  return canonical(name) === canonical(hostname) ? 'ok' : 'a ClientHello for another name';
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** What the records hold together, the last of which may be incomplete: a handshake message may be spread over several. */
function handshakeBytes(bytes: Uint8Array): Uint8Array | ClientHelloFault {
  const content = new Uint8Array(bytes.length);
  let length = 0;
  for (let start = 0; start < bytes.length && !isWhole(content, length); ) {
    const record = bytes.subarray(start);
    const recordLength = ((record[3] ?? 0) << 8) | (record[4] ?? 0);
    const isHandshake = record[0] === HANDSHAKE_RECORD && (record[1] ?? MAJOR_VERSION) === MAJOR_VERSION;
    const isHeaderWhole = record.length >= RECORD_HEADER_BYTES;
    // Empty ones of this type are forbidden (RFC 8446 section 5.1), and would have no end.
    const isLength = recordLength > 0 && recordLength <= MAX_RECORD_BYTES;
    if (!isHandshake || (isHeaderWhole && !isLength)) return start === 0 ? 'not TLS' : 'not a ClientHello';
    if (!isHeaderWhole) break;
    const part = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + recordLength);
    content.set(part, length);
    length += part.length;
    start += RECORD_HEADER_BYTES + recordLength;
  }
  return content.subarray(0, length);
}

/** Whether the first message is there: what follows it is not looked at. */
function isWhole(content: Uint8Array, length: number): boolean {
  if (length < HANDSHAKE_HEADER_BYTES) return false;
  const messageBytes = new Fields(content.subarray(1, HANDSHAKE_HEADER_BYTES)).number(3) ?? 0;
  return length >= HANDSHAKE_HEADER_BYTES + messageBytes;
}

/** The host names of a ClientHello's extension server_name; `undefined` for one that cannot be read. */
function serverNames(hello: Uint8Array): string[] | undefined {
  const fields = new Fields(hello);
  // The version, the random bytes, the session's name, cipher suites, compression methods.
  const isRead = fields.skip(2 + 32) && fields.vector(1) && fields.vector(2) && fields.vector(1);
  if (!isRead) return undefined;
  if (fields.isEmpty) return [];
  const extensions = fields.vector(2);
  if (!extensions || !fields.isEmpty) return undefined;
  let names: string[] | undefined;
  while (!extensions.isEmpty) {
    const type = extensions.number(2);
    const content = extensions.vector(2);
    if (!content) return undefined;
    if (type !== SERVER_NAME) continue;
    if (names) return undefined;
    names = readServerNames(content);
    if (!names) return undefined;
  }
  return names ?? [];
}

/** Exactly one host name: more of one type are forbidden, and other types do not exist. */
function readServerNames(content: Fields): string[] | undefined {
  const list = content.vector(2);
  if (!list || !content.isEmpty || list.number(1) !== HOST_NAME) return undefined;
  const name = list.vector(2)?.text();
  return name !== undefined && list.isEmpty ? [name] : undefined;
}

/** Reads the fields of a TLS structure (RFC 8446 section 3) in their order; `undefined` where one does not fit. */
class Fields {
  #rest: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  skip(length: number): boolean {
    return this.#take(length) !== undefined;
  }

  number(bytes: number): number | undefined {
    return this.#take(bytes)?.reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A vector, whose length has so many bytes. */
  vector(lengthBytes: number): Fields | undefined {
    const length = this.number(lengthBytes);
    const content = length === undefined ? undefined : this.#take(length);
    return content && new Fields(content);
  }

  /** All that is left. */
  text(): string | undefined {
    return this.isEmpty ? undefined : Buffer.from(this.#rest).toString('latin1');
  }

  #take(length: number): Uint8Array | undefined {
    if (length > this.#rest.length) return undefined;
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}
