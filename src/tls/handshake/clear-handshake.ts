import { HandshakeMessages } from '../records/handshake-messages.js';
import type { SignatureScheme, TlsVersion } from '../types.js';

const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const ALERT_BYTES = 2;
const HANDSHAKE = 22;
const SERVER_HELLO = 2;
const CERTIFICATE_REQUEST = 13;
const SUPPORTED_VERSIONS = 43;
const TLS_1_3 = 0x0304;

/**
 * What a server says in the clear: the version that it chose, its warnings and, in TLS 1.2, by which schemes it accepts signatures.
 * The engine's question about the client's certificate has neither the version nor, in TLS 1.2, all schemes.
 */
export class ClearHandshake {
  /** Undefined until the ServerHello has come. */
  version: TlsVersion | undefined;
  /** Of TLS 1.2's CertificateRequest, in the server's order. */
  schemes: SignatureScheme[] | undefined;
  #messages = new HandshakeMessages();
  #alertBytes = 0;
  #isOver = false;

  /** Alerts that have not ended the handshake. */
  get warnings(): number {
    return Math.floor(this.#alertBytes / ALERT_BYTES);
  }

  /** Takes the content of records, in pieces. */
  take(type: number, piece: Uint8Array): void {
    // What follows is encrypted.
    this.#isOver ||= type === CHANGE_CIPHER_SPEC;
    if (this.#isOver) return;
    if (type === ALERT) this.#alertBytes += piece.length;
    if (type !== HANDSHAKE) return;
    try {
      this.#messages.push(piece);
      for (let next = this.#messages.next(); next; next = this.#messages.next())
        this.#read(next.type, new Reader(next.body));
    } catch {
      // What is malformed is the engine's to refuse.
      this.#isOver = true;
    }
    // TLS 1.3 says no more in the clear.
    this.#isOver ||= this.version === 'TLSv1.3';
  }

  #read(type: number, body: Reader): void {
    if (type === SERVER_HELLO) this.version = versionOf(body);
    if (type === CERTIFICATE_REQUEST) this.schemes = schemesOf(body);
  }
}

/** RFC 8446 section 4.1.3. */
function versionOf(hello: Reader): TlsVersion {
  hello.skip(2 + 32);
  hello.skip(hello.u8());
  hello.skip(2 + 1);
  if (hello.isAtEnd) return 'TLSv1.2';
  hello.skip(2);
  while (!hello.isAtEnd) {
    const [extension, length] = [hello.u16(), hello.u16()];
    if (extension === SUPPORTED_VERSIONS) return hello.u16() === TLS_1_3 ? 'TLSv1.3' : 'TLSv1.2';
    hello.skip(length);
  }
  return 'TLSv1.2';
}

/** RFC 5246 section 7.4.4. */
function schemesOf(request: Reader): SignatureScheme[] {
  request.skip(request.u8());
  return Array.from({ length: request.u16() / 2 }, () => request.u16());
}

/** Reads what TLS encodes; beyond the end it is a RangeError. */
class Reader {
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#view.byteLength;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  u8(): number {
    this.skip(1);
    return this.#view.getUint8(this.#at - 1);
  }

  u16(): number {
    this.skip(2);
    return this.#view.getUint16(this.#at - 2);
  }
}
