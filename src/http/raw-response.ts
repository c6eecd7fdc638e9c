import type { TransportInfo } from './connection-info.js';
import type { Fields, ResponseHead } from './http-engine.js';

/** A response whose head has come. */
export interface RawResponse {
  head: ResponseHead;
  body: ReadableStream<Uint8Array>;
  /** The fields behind the body, once all of it has come; rejected with what the body fails with. */
  trailers: Promise<Fields>;
  /** What the body failed with, from the moment it does. */
  failure(): BodyFailure | undefined;
  connection: ResponseConnection;
  /** From the request's start on its connection to the response's head. */
  responseMs: number;
}

/** The connection that a response came over. */
export interface ResponseConnection {
  readonly protocol: 'h2' | 'http/1.1';
  readonly transport: TransportInfo;
  /** Takes no further request, because the server refuses the client. */
  noteRefusal(): void;
}

/** Why a response's body ended early. */
export interface BodyFailure {
  reason: unknown;
}
