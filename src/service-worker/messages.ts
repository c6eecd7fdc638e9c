/** The `type` of a message by which the worker asks a page whether it serves requests; a port comes with it. */
export const ASK = 'browser-mtls:request';
/** The `type` of the messages by which a page keeps the worker alive: browsers end one that has heard nothing for 30 seconds. */
export const BEAT = 'browser-mtls:beat';

export const BEAT_INTERVAL_MS = 10_000;

/** A request on its way to a page. */
export interface RequestMessage {
  url: string;
  method: string;
  headers: [name: string, value: string][];
  body?: ArrayBuffer | undefined;
  redirect: RequestRedirect;
  credentials: RequestCredentials;
  integrity: string;
}

/** What the worker says to the page over the port of a request. */
export type ToPage = { type: 'send'; request: RequestMessage } | { type: 'pull' } | { type: 'cancel' };

/** What the page says to the worker. */
export type ToWorker =
  | { type: 'accept' | 'beat' }
  | {
      type: 'head';
      status: number;
      statusText: string;
      headers: [name: string, value: string][];
      hasBody: boolean;
    }
  | { type: 'chunk'; bytes: Uint8Array<ArrayBuffer> }
  /** The body has ended; `bytes` in all. */
  | { type: 'end'; bytes: number }
  | { type: 'failed'; code: string; message: string };
