import { fetchError } from './fetch-error.js';
import type { RawResponse } from './pool.js';

/** How far a body has come. */
export interface BodyProgress {
  /** Bytes so far. */
  bytes: number;
  /** The whole body's, when it is known. */
  totalBytes?: number;
}

/** What is told how far a body has come. */
export type OnProgress = (progress: BodyProgress) => void;

/** What `client.fetch` takes beyond the `RequestInit` of the Fetch standard. */
export interface MtlsRequestInit extends RequestInit {
  /**
   * Called after each piece of the request's body that the connection took. Up to a megabyte of it may still be on its way. A
   * redirect or another attempt that sends the body again counts from the start. What it throws is an unhandled rejection.
   */
  onUploadProgress?: OnProgress;
  /**
   * Called after each piece of the response's body, as it travels (before any content decoding), when the page is about to get
   * it: a page that does not read hears nothing. `totalBytes` is the response's Content-Length.
   */
  onDownloadProgress?: OnProgress;
}

/** Those of a request. */
export interface ProgressListeners {
  onUploadProgress?: OnProgress | undefined;
  onDownloadProgress?: OnProgress | undefined;
}

/** @throws TypeError for listeners that are no functions */
export function readProgress({ onUploadProgress, onDownloadProgress }: ProgressListeners): ProgressListeners {
  for (const listener of [onUploadProgress, onDownloadProgress]) {
    if (listener !== undefined && typeof listener !== 'function')
      throw new TypeError('onUploadProgress and onDownloadProgress are functions');
  }
  return { onUploadProgress, onDownloadProgress };
}

/** Counts, and tells the page outside of what we are doing. */
export class ProgressCounter {
  #report: OnProgress;
  #totalBytes: number | undefined;
  #bytes = 0;

  constructor(report: OnProgress, totalBytes: number | undefined) {
    this.#report = report;
    this.#totalBytes = totalBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const progress: BodyProgress = { bytes: this.#bytes };
    if (this.#totalBytes !== undefined) progress.totalBytes = this.#totalBytes;
    Promise.resolve(progress).then(this.#report);
  }
}

/** The response, with a body that tells how far it is read. */
export function reportDownload(response: RawResponse, report: OnProgress | undefined): RawResponse {
  if (!report) return response;
  const counter = new ProgressCounter(report, lengthOf(response));
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          counter.add(value.length);
          controller.enqueue(value);
        } catch (error) {
          controller.error(fetchError(error));
        }
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { ...response, body };
}

function lengthOf({ head }: RawResponse): number | undefined {
  const value = head.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
