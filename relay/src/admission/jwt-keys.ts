import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from 'jose';
import { isLoopback } from './address.js';

/** Where the keys that verify tokens come from; one of the three. */
export interface JwtKeyOptions {
  /** A JWK Set to fetch (RFC 7517 section 5): `https:`, or `http:` from this machine. It is kept for ten minutes. */
  jwksUrl?: string;
  /** Public keys: PEM (SPKI or certificate), a JWK, or a JWK Set; RSA of 2,048 bits or more. */
  keys?: (string | JsonWebKey | { keys: JsonWebKey[] })[];
  /** A secret for HS256, 32 bytes or more, shared with who issues tokens. */
  secret?: Uint8Array;
}

/** Milliseconds that a JWK Set may take, and that it is kept. */
const FETCH_TIMEOUT_MS = 5000;
const CACHE_MAX_AGE_MS = 600_000;
/** An unknown key is a reason to fetch the set again, so often: anybody can make up a name for a key. */
const COOLDOWN_MS = 10_000;
const MAX_JWKS_BYTES = 256 * 1024;
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;

export interface JwtKeys {
  symmetric: boolean;
  get: Uint8Array | JWTVerifyGetKey;
  /** A key that is not known may be in a newer set, which is not to be fetched yet. */
  isCoolingDown(): boolean;
}

/** @throws TypeError */
export function parseJwtKeys({ jwksUrl, keys, secret }: JwtKeyOptions): JwtKeys {
  const given = [jwksUrl, keys, secret].filter(each => each !== undefined).length;
  if (given !== 1) throw new TypeError('"jwt" must have one of jwksUrl, keys and secret');
  if (jwksUrl !== undefined) return remoteKeys(jwksUrl);
  if (secret !== undefined) {
    if (!(secret instanceof Uint8Array) || secret.length < MIN_SECRET_BYTES) {
      throw new TypeError(`"jwt.secret" must be a Uint8Array of ${MIN_SECRET_BYTES} bytes or more`);
    }
    return { symmetric: true, get: secret, isCoolingDown: () => false };
  }
  const jwks = (keys ?? []).flatMap(readKey);
  if (jwks.length === 0) throw new TypeError('"jwt.keys" must have a key');
  return { symmetric: false, get: localKeys(jwks), isCoolingDown: () => false };
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

function remoteKeys(text: string): JwtKeys {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (!url || !isSafe) throw new TypeError('"jwt.jwksUrl" must be an https: URL, or http: of this machine');
  const get = createRemoteJWKSet(url, {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cacheMaxAge: CACHE_MAX_AGE_MS,
    cooldownDuration: COOLDOWN_MS,
    [customFetch]: fetchBounded,
  });
  return { symmetric: false, get, isCoolingDown: () => get.coolingDown };
}

/** Reads no more than a set of keys has. */
const fetchBounded: FetchImplementation = async (url, options) => {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_JWKS_BYTES) throw new errors.JWKSInvalid(`more than ${MAX_JWKS_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status });
};

function readKey(key: string | JsonWebKey | { keys: JsonWebKey[] }): JsonWebKey[] {
  if (typeof key !== 'string')
    return 'keys' in key ? (key.keys as JsonWebKey[]).map(readJwk) : [readJwk(key)];
  if (!key.includes('-----BEGIN')) return readKey(parseJson(key));
  if (key.includes('PRIVATE KEY'))
    throw new TypeError('"jwt.keys" has a private key: give the relay the public one');
  const blocks = key.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  return blocks.map(block => exportJwk(() => createPublicKey(block)));
}

function parseJson(text: string): JsonWebKey {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === 'object') return value;
  } catch {}
  throw new TypeError('"jwt.keys" has a text that is neither PEM nor JSON');
}

/** Keeps what says which tokens the key is for. */
function readJwk(jwk: JsonWebKey): JsonWebKey {
  if (jwk.d !== undefined || jwk.k !== undefined) {
    throw new TypeError('"jwt.keys" has a private or a secret key: give the relay the public one');
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
    throw new TypeError('"jwt.keys" has a key that cannot be read: write a public key as PEM or JWK');
  }
  if ((key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS) {
    throw new TypeError(`"jwt.keys" has an RSA key of less than ${MIN_RSA_BITS} bits`);
  }
  return key.export({ format: 'jwk' });
}
