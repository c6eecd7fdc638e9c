import type { OnProgress } from '../http/body/progress.js';

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
      throw new TypeError('"onUploadProgress" must be a function, and so must "onDownloadProgress"');
  }
  return { onUploadProgress, onDownloadProgress };
}
