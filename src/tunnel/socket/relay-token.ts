import { MtlsError } from '../../errors.js';
import { delay } from '../../util/promises.js';
import { isToken } from '../wire/frames.js';
import { MAX_TOKEN_BYTES } from '../wire/limits.js';

/** The token for a relay, or who gives it: each WebSocket asks anew. */
export type TokenSource = string | (() => string | Promise<string>);

/** @throws TypeError that names the option */
export function checkTokenSource(source: TokenSource, option: string): void {
  if (typeof source === 'function' || (typeof source === 'string' && isToken(source))) return;
  throw new TypeError(
    `"${option}" must be a string of at most ${MAX_TOKEN_BYTES} bytes, or a function that gives one`,
  );
}

/**
 * Asks for a token; `timeoutMs` 0 waits as long as it takes.
 *
 * @throws MtlsError ERR_TUNNEL_AUTH when the function fails, takes too long, or gives something else
 */
export async function askForToken(
  source: () => string | Promise<string>,
  timeoutMs: number,
): Promise<string> {
  const late = new AbortController();
  try {
    const token: unknown = await (timeoutMs > 0
      ? Promise.race([source(), delay(timeoutMs, late.signal)])
      : source());
    if (typeof token === 'string' && isToken(token)) return token;
  } catch (cause) {
    throw tokenError('threw an error', cause);
  } finally {
    late.abort();
  }
  throw tokenError(`must give a string of at most ${MAX_TOKEN_BYTES} bytes, in time (openTimeoutMs)`);
}

function tokenError(what: string, cause?: unknown): MtlsError {
  return new MtlsError(
    'ERR_TUNNEL_AUTH',
    `There is no token for the relay: the function given as tunnelToken ${what}.`,
    cause === undefined ? undefined : { cause },
  );
}
