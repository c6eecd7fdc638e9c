import type { ResponseTransport } from '../connection-info.js';

/** Is told of requests. Each redirect is a request of its own. */
export interface RequestObserver {
  begin(request: { method: string; url: URL }): ObservedRequest;
}

/** Is told what becomes of one request. */
export interface ObservedRequest {
  /** An attempt failed; another one follows after a pause. */
  retried(error: unknown, pauseMs: number): void;
  answered(response: AnsweredRequest): void;
  /** The response has come as a whole, or none will: with an error, unless it was complete. */
  ended(outcome: { bodyBytes: number; error?: unknown }): void;
}

export interface AnsweredRequest extends Pick<ResponseTransport, 'protocol' | 'connectionId'> {
  status: number;
  responseMs: number;
}
