import type { BodyProgress, OnProgress } from '../http/body/progress.js';

/** The `init` of `client.fetch`: the `RequestInit` of the Fetch standard, and two listeners. */
export interface MtlsRequestInit extends RequestInit {
  /**
   * Called after each piece of the request's body that the connection has taken. Up to a megabyte may still be on its way. If the body is
   * sent again (a redirect, another attempt), the count starts again. An error that it throws is an `unhandledrejection`. Default: none.
   */
  onUploadProgress?: (progress: BodyProgress) => void;
  /**
   * Called for each piece of the response's body that the page reads, with bytes before decoding. `totalBytes` is the response's
   * Content-Length. An error that it throws is an `unhandledrejection`. Default: none.
   */
  onDownloadProgress?: (progress: BodyProgress) => void;
}

/** The listeners of a request. */
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
