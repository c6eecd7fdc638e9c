import {
  Emission,
  FAILED,
  HttpFailureKind,
  HttpFault,
  readHttpFailureKind,
  readHttpFault,
} from '../engine/abi.js';
import { type Argument, type CallResult, type Emitted, Instance, plainContext } from '../engine/instance.js';
import { WireReader, WireWriter } from '../engine/wire.js';
import { type CallOptions, RecordEngine } from '../tls/ciphers/record-engine.js';

export interface ConnectionState {
  /** Received bytes that the engine does not want to read now. */
  unread: number;
  /** Bytes that wait to be sent. */
  output: number;
  /** No output follows what waits now. */
  outputEnded: boolean;
  /** The server's limit of requests at once. */
  streams: number;
  /** A request may be sent now. */
  ready: boolean;
  /** No request is taken any more. */
  closed: boolean;
  /** Nothing is read any more. */
  done: boolean;
}

/** When to ask a silent h2 server for a sign of life, and how long it may take. */
export interface Ping {
  intervalMs: number;
  timeoutMs: number;
}

export interface ConnectionListener {
  onState(state: ConnectionState): void;
  /** The engine itself has failed. */
  onEngineFailed(error: unknown): void;
}

export type Fields = [name: string, value: string][];

export interface ResponseHead {
  status: number;
  statusText: string;
  headers: Fields;
}

/** All values of a field. */
export function valuesOf({ headers }: ResponseHead, name: string): string[] {
  const values: string[] = [];
  for (const field of headers) if (field[0] === name) values.push(field[1].trim());
  return values;
}

/** Why an exchange failed. */
export interface HttpFailure {
  kind: HttpFailureKind;
  /** The h2 error code (RFC 9113 section 7), or 0. */
  code: number;
  /** Where something was refused, the message is the name of the field, if it is one. */
  fault: HttpFault;
  message: string;
}

export interface ExchangeListener {
  onBodyWanted(): void;
  onBodyStopped(): void;
  onHead(head: ResponseHead): void;
  onData(bytes: Uint8Array<ArrayBuffer>): void;
  onEnd(trailers: Fields): void;
  onFailed(failure: HttpFailure): void;
}

export interface RequestHead {
  method: string;
  /** Absolute, without a fragment. */
  url: string;
  headers: Fields;
  /** Undefined: unknown. */
  bodyLength: number | undefined;
}

/**
 * The engine's HTTP client in an instance of its own: calls, and the way of what they emit to whom it concerns.
 * Listeners are called after the call that caused it, in order, never from inside one another.
 */
export class HttpEngine {
  /** Records in the same instance: their plaintext need not leave it. */
  readonly records: RecordEngine;
  #instance: Instance;
  #connections = new Map<number, ConnectionListener>();
  #exchanges = new Map<number, ExchangeListener>();
  #queue: Emitted[] = [];
  #dispatching = false;
  #dataOf = 0;

  /** @throws MtlsError ERR_ENGINE_LOAD */
  static async create(module: WebAssembly.Module): Promise<HttpEngine> {
    return new HttpEngine(await Instance.create(module));
  }

  private constructor(instance: Instance) {
    this.#instance = instance;
    this.records = new RecordEngine(instance, (name, args, options) => this.#call(name, args, options));
  }

  /** The linear memory's size in bytes. */
  get memoryBytes(): number {
    return this.#instance.memoryBytes;
  }

  /** Connections and exchanges that are not over. */
  get openCount(): number {
    return this.#connections.size + this.#exchanges.size;
  }

  openConnection(protocol: 'h2' | 'http/1.1', listener: ConnectionListener, ping?: Ping): number {
    const args = [protocol === 'h2' ? 2 : 1, ping?.intervalMs ?? 0, ping?.timeoutMs ?? 0];
    const inspect = (handle: number) => void this.#connections.set(handle, listener);
    return this.#call('http_connection_new', args, { inspect });
  }

  /** So much time has passed, for pings. */
  advance(elapsedMs: number): void {
    this.#call('http_advance', [Math.round(elapsedMs)]);
  }

  /** Gives the connection up; its exchanges fail. */
  freeConnection(connection: number): void {
    this.#connections.delete(connection);
    this.#call('http_connection_free', [connection]);
  }

  /** Lets the exchanges in progress end, and takes no further one. */
  closeConnection(connection: number): void {
    this.#call('http_connection_close', [connection]);
  }

  receive(connection: number, pieces: readonly Uint8Array[]): void {
    this.#call('http_connection_receive', [connection, pieces]);
  }

  receiveEnd(connection: number): void {
    this.#call('http_connection_receive_end', [connection]);
  }

  receiveFailed(connection: number): void {
    this.#call('http_connection_receive_failed', [connection]);
  }

  /** The bytes to send now, in pieces that share no TLS record. They are good for the call of `use` alone. */
  take(connection: number, use: (pieces: readonly Uint8Array<ArrayBuffer>[]) => void): void {
    let failure: { error: unknown } | undefined;
    const inspect = (_: number, emitted: Emitted[]) => {
      const at = emitted.findIndex(it => it.kind === Emission.recordContent);
      const pieces = at < 0 ? [] : emitted.splice(at);
      try {
        use(pieces.map(it => it.bytes));
      } catch (error) {
        // What else has been emitted is delivered first.
        failure = { error };
      }
    };
    this.#call('http_connection_take', [connection], { inspect });
    if (failure) throw failure.error;
  }

  /** After the head of a 101: what was received behind it. */
  takeRest(connection: number): Uint8Array<ArrayBuffer> | undefined {
    let rest: Uint8Array<ArrayBuffer> | undefined;
    const inspect = (_: number, emitted: Emitted[]) => {
      rest = emitted.pop()?.bytes;
    };
    this.#call('http_connection_take_rest', [connection], { inspect });
    return rest?.length ? rest : undefined;
  }

  /** Returns the exchange's handle, or why it cannot begin. */
  begin(connection: number, head: RequestHead, listener: ExchangeListener): number | HttpFailure {
    let failure: HttpFailure | undefined;
    const inspect = (status: number, emitted: Emitted[]) => {
      if (status > 0) this.#exchanges.set(status, listener);
      const last = emitted.at(-1);
      if (status === FAILED && last?.kind === Emission.httpFailed) {
        emitted.pop();
        const reader = new WireReader(last.bytes);
        reader.u32();
        failure = readFailure(reader);
      }
    };
    const handle = this.#call('http_request_new', [connection, encodeHead(head)], { inspect });
    if (handle > 0) return handle;
    return failure ?? unknownConnection;
  }

  send(exchange: number, bytes: Uint8Array): void {
    this.#call('http_request_send', [exchange, [bytes]]);
  }

  sendEnd(exchange: number): void {
    this.#call('http_request_send_end', [exchange]);
  }

  sendAbort(exchange: number): void {
    this.#call('http_request_send_abort', [exchange]);
  }

  pull(exchange: number): void {
    this.#call('http_response_pull', [exchange]);
  }

  cancel(exchange: number): void {
    this.#exchanges.delete(exchange);
    this.#call('http_request_cancel', [exchange]);
  }

  /** Nothing more is to be told about an exchange. */
  forget(exchange: number): void {
    this.#exchanges.delete(exchange);
  }

  #call(name: string, args: readonly Argument[], { inspect, announce }: CallOptions = {}): number {
    let result: CallResult;
    try {
      result = this.#instance.call(name, args, announce ? { ...plainContext, announce } : plainContext);
    } catch (error) {
      const listeners = [...this.#connections.values()];
      this.#connections.clear();
      for (const listener of listeners) listener.onEngineFailed(error);
      throw error;
    }
    inspect?.(result.status, result.emitted);
    if (result.emitted.length > 0) {
      for (const emitted of result.emitted) this.#queue.push(emitted);
      this.#dispatch();
    }
    return result.status;
  }

  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#deliver(next);
    } finally {
      this.#dispatching = false;
    }
  }

  #deliver({ kind, bytes }: Emitted): void {
    if (kind === Emission.httpBytes) {
      this.#exchanges.get(this.#dataOf)?.onData(bytes);
      return;
    }
    const reader = new WireReader(bytes);
    const handle = reader.u32();
    if (kind === Emission.httpConnection) {
      this.#connections.get(handle)?.onState(readState(reader));
      return;
    }
    const exchange = this.#exchanges.get(handle);
    switch (kind) {
      case Emission.httpBodyWanted:
        exchange?.onBodyWanted();
        break;
      case Emission.httpBodyStopped:
        exchange?.onBodyStopped();
        break;
      case Emission.httpHead:
        exchange?.onHead(readHead(reader));
        break;
      case Emission.httpDataOf:
        this.#dataOf = handle;
        break;
      case Emission.httpEnd:
        exchange?.onEnd(readFields(reader));
        break;
      case Emission.httpFailed:
        exchange?.onFailed(readFailure(reader));
        break;
    }
  }
}

const unknownConnection: HttpFailure = {
  kind: HttpFailureKind.unprocessed,
  code: 0,
  fault: HttpFault.none,
  message: 'the connection is closed',
};

function readState(reader: WireReader): ConnectionState {
  const unread = reader.u32();
  const output = reader.u32();
  const flags = reader.u8();
  return {
    unread,
    output,
    outputEnded: (flags & 1) !== 0,
    ready: (flags & 2) !== 0,
    closed: (flags & 4) !== 0,
    done: (flags & 8) !== 0,
    streams: reader.u32(),
  };
}

function readHead(reader: WireReader): ResponseHead {
  const status = reader.u16();
  const statusText = reader.latin1();
  return { status, statusText, headers: readFields(reader) };
}

/** Names and values by turns. */
function readFields(reader: WireReader): Fields {
  const texts = reader.latin1Texts(reader.u32());
  const fields: Fields = [];
  for (let at = 0; at < texts.length; at += 2) fields.push([texts[at] as string, texts[at + 1] as string]);
  return fields;
}

function readFailure(reader: WireReader): HttpFailure {
  return {
    kind: readHttpFailureKind(reader.u8()),
    code: reader.u32(),
    fault: readHttpFault(reader.u8()),
    message: reader.str(),
  };
}

function encodeHead({ method, url, headers, bodyLength }: RequestHead): Uint8Array {
  const writer = new WireWriter()
    .str(method)
    .str(url)
    .u32(2 * headers.length);
  for (const [name, value] of headers) writer.latin1(name).latin1(value);
  return writer
    .u8(bodyLength === undefined ? 0 : 1)
    .u32((bodyLength ?? 0) % 2 ** 32)
    .u32(Math.floor((bodyLength ?? 0) / 2 ** 32))
    .finish();
}
