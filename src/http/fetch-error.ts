import { MtlsError, type MtlsErrorCode } from '../errors.js';

/** How `fetch` rejects when the network, not the caller, is at fault. */
export interface FetchError extends TypeError {
  code: MtlsErrorCode;
  cause: MtlsError;
}

/** The `TypeError` that stands for an `MtlsError` in `fetch`: with it as `cause`, and its code. Anything else passes. */
export function fetchError(error: unknown): unknown {
  if (!(error instanceof MtlsError)) return error;
  const { code, message } = error;
  return Object.assign(new TypeError(message, { cause: error }), { code });
}
