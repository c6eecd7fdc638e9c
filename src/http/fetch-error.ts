import { MtlsError } from '../errors.js';

/** The `TypeError` that stands for an `MtlsError` in `fetch`: with it as `cause`, and its code. Anything else passes. */
export function fetchError(error: unknown): unknown {
  if (!(error instanceof MtlsError)) return error;
  const { code, message } = error;
  return Object.assign(new TypeError(message, { cause: error }), { code });
}
