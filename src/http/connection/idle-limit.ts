import { type ResponseHead, valuesOf } from '../http-engine.js';

/** How much sooner than the server the client gives a connection up. */
const MARGIN_MS = 1_000;

/**
 * How long a connection may be kept without a request, by the `Keep-Alive: timeout=5` (RFC 2068 section 19.7.1.1; seconds) of its
 * last response: less than the server says, because a POST that meets the connection's end is not sent again unless the server certainly did not process it. Undefined: it does not say.
 */
export function idleLimitMs(head: ResponseHead): number | undefined {
  const seconds = /(?:^|[,;\s])timeout=(\d{1,6})(?:$|[,;\s])/i.exec(valuesOf(head, 'keep-alive').join(','));
  if (!seconds) return undefined;
  const timeoutMs = Number(seconds[1]) * 1_000;
  return timeoutMs - Math.min(MARGIN_MS, timeoutMs / 2);
}
