import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { checkedInteger } from '../../../../src/util/options.js';
import { isLoopback } from '../addresses/address.js';
import { RemoteKeys } from './remote-keys.js';

/** Where the keys that verify tokens come from; one of the three. */
export interface JwtKeyOptions {
  /** A JWK Set to fetch (RFC 7517 section 5): `https:`, or `http:` from this machine. It is fetched again after ten minutes. */
  jwksUrl?: string;
  /**
   * Milliseconds for which the last JWK Set serves beyond its ten minutes while newer ones cannot be fetched; 0 to 604,800,000,
   * default 3,600,000.
   */
  maxStaleKeysMs?: number;
  /** Public keys: PEM (SPKI or certificate), a JWK, or a JWK Set; RSA of 2,048 bits or more. */
  keys?: (string | JsonWebKey | { keys: JsonWebKey[] })[];
  /** A secret for HS256, 32 bytes or more, shared with who issues tokens. */
  secret?: Uint8Array;
}

const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;

export interface JwtKeys {
  symmetric: boolean;
  get: Uint8Array | JWTVerifyGetKey;
}

const WEEK_MS = 7 * 24 * 3_600_000;

/** `report` is told when keys cannot be fetched, and when they can again. @throws TypeError */
export function parseJwtKeys(
  { jwksUrl, keys, secret, maxStaleKeysMs: maxStaleMs = 3_600_000 }: JwtKeyOptions,
  report: (message: string) => void,
): JwtKeys {
  checkedInteger('jwt.maxStaleKeysMs', maxStaleMs, { min: 0, max: WEEK_MS });
  const given = [jwksUrl, keys, secret].filter(each => each !== undefined).length;
  if (given !== 1) throw new TypeError('"jwt" must have one of jwksUrl, keys and secret');
  if (jwksUrl !== undefined) {
    return { symmetric: false, get: new RemoteKeys(parseJwksUrl(jwksUrl), { maxStaleMs, report }).get };
  }
  if (secret !== undefined) {
    if (!(secret instanceof Uint8Array) || secret.length < MIN_SECRET_BYTES) {
      throw new TypeError(`"jwt.secret" must be a Uint8Array of ${MIN_SECRET_BYTES} bytes or more`);
    }
    return { symmetric: true, get: secret };
  }
  const jwks = (keys ?? []).flatMap(readKey);
  if (jwks.length === 0) throw new TypeError('"jwt.keys" must have a key');
  return { symmetric: false, get: localKeys(jwks) };
}

/** A key without a name, as PEM has none, is tried for tokens that name one as well. */
function localKeys(jwks: JsonWebKey[]): JWTVerifyGetKey {
  const named = createLocalJWKSet({ keys: jwks as never });
  const nameless = createLocalJWKSet({ keys: jwks.filter(({ kid }) => kid === undefined) as never });
  return async (header, token) => {
    try {
      return await named(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const { kid: _, ...withoutName } = header;
      return nameless(withoutName, token);
    }
  };
}

function parseJwksUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (!url || !isSafe) throw new TypeError('"jwt.jwksUrl" must be an https: URL, or http: of this machine');
  return url;
}

function readKey(key: string | JsonWebKey | { keys: JsonWebKey[] }): JsonWebKey[] {
  if (typeof key !== 'string')
    return 'keys' in key ? (key.keys as JsonWebKey[]).map(readJwk) : [readJwk(key)];
  if (!key.includes('-----BEGIN')) return readKey(parseJson(key));
  if (key.includes('PRIVATE KEY')) throw new TypeError('"jwt.keys" must be public keys: one is private');
  const blocks = key.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  return blocks.map(block => exportJwk(() => createPublicKey(block)));
}

function parseJson(text: string): JsonWebKey {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === 'object') return value;
  } catch {}
  throw new TypeError('"jwt.keys" must be PEM or JSON texts: one is neither');
}

/** Keeps what says which tokens the key is for. */
function readJwk(jwk: JsonWebKey): JsonWebKey {
  if (jwk.d !== undefined || jwk.k !== undefined) {
    throw new TypeError('"jwt.keys" must be public keys: one is private or secret');
  }
  const { kid, alg, use } = jwk;
  const known = Object.fromEntries(
    Object.entries({ kid, alg, use }).filter(([, value]) => value !== undefined),
  );
  return { ...exportJwk(() => createPublicKey({ key: jwk, format: 'jwk' })), ...known };
}

function exportJwk(read: () => KeyObject): JsonWebKey {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    throw new TypeError('"jwt.keys" must be public keys as PEM or JWK: one cannot be read');
  }
  if ((key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS) {
    throw new TypeError(`"jwt.keys" must have RSA keys of at least ${MIN_RSA_BITS} bits`);
  }
  return key.export({ format: 'jwk' });
}
