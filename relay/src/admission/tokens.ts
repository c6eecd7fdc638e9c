import { createHash, timingSafeEqual } from 'node:crypto';
import { MAX_TOKEN_BYTES } from '../../../src/tunnel/wire/limits.js';

/** A token that pages may send, and the name by which the log calls it. */
export interface RelayToken {
  /** 1 to 64 letters, digits and `_ . -`; two tokens may share one, while one replaces the other. */
  name: string;
  /** 16 to 4,096 bytes. */
  token: string;
}

/** A token, by the digest that it is compared by. */
export interface KnownToken {
  name: string;
  digest: Buffer;
}

const MIN_TOKEN_BYTES = 16;
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * Checks a list of tokens; those without a name are called `token-1` and so on, by their place.
 *
 * @throws TypeError whose message does not hold the token
 */
export function parseTokens(tokens: (string | RelayToken)[]): KnownToken[] {
  return tokens.map((entry, index) => {
    const { name, token } = typeof entry === 'string' ? { name: `token-${index + 1}`, token: entry } : entry;
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw new TypeError('"tokens" must have names of 1 to 64 letters, digits and "_", "." or "-"');
    }
    const length = typeof token === 'string' ? Buffer.byteLength(token) : 0;
    if (length < MIN_TOKEN_BYTES || length > MAX_TOKEN_BYTES) {
      throw new TypeError(
        `"tokens" must be strings of ${MIN_TOKEN_BYTES} to ${MAX_TOKEN_BYTES} bytes, and ${name} is not: make one with "openssl rand -base64 24"`,
      );
    }
    return { name, digest: digestOf(token) };
  });
}

/** Reads what the command takes: `token` or `name:token`. */
export function readToken(text: string): string | RelayToken {
  const at = text.indexOf(':');
  return at < 0 ? text : { name: text.slice(0, at), token: text.slice(at + 1) };
}

/** The token's entry, found in a time that does not depend on how much of it is right. */
export function findToken(token: string, tokens: KnownToken[]): KnownToken | undefined {
  const given = digestOf(token);
  let found: KnownToken | undefined;
  for (const known of tokens) if (timingSafeEqual(given, known.digest)) found = known;
  return found;
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
