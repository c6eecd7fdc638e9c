import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { checkedInteger, checkOptionNames, type OptionNames } from '../../../../src/util/options.js';
import type { Admit, Admitted, Credentials, Refused } from '../admission.js';
import { malformedTime, type Narrowing, RELAY_CLAIM, readNarrowing } from './jwt-claims.js';
import { type JwtKeyOptions, type JwtKeys, parseJwtKeys } from './jwt-keys.js';

/** Admission by JSON Web Tokens (RFC 7519). A token must have `iss`, `aud`, `sub` and `exp`. */
export interface JwtOptions extends JwtKeyOptions {
  /** What `iss` must be. */
  issuer: string;
  /** What `aud` must be, or hold: a name for this relay. */
  audience: string;
  /** Algorithms of signatures to accept (RFC 7518 section 3.1). Default: all asymmetric ones, with `secret` HS256 alone. */
  algorithms?: string[];
  /** Milliseconds by which the issuer's clock may differ, for `exp` and `nbf`; 0 to 600,000, default 5,000. */
  clockToleranceMs?: number;
  /** Whether a WebSocket ends when its token expires (close code 4014). Default `true`. */
  endAtExpiry?: boolean;
}

export interface JwtSettings {
  keys: JwtKeys;
  verifyOptions: JWTVerifyOptions;
  clockToleranceMs: number;
  endAtExpiry: boolean;
}

const names: OptionNames<JwtOptions> = {
  jwksUrl: true,
  maxStaleKeysMs: true,
  keys: true,
  secret: true,
  issuer: true,
  audience: true,
  algorithms: true,
  clockToleranceMs: true,
  endAtExpiry: true,
};

const ASYMMETRIC = [
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
  ...['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'],
];
const MAX_SUBJECT_CHARACTERS = 256;
/** Keys that are tried for a token that names none: issuers have a few, and each costs a signature's verification. */
const MAX_TRIED_KEYS = 8;

/** `report` is told when keys cannot be fetched, and when they can again. @throws TypeError */
export function parseJwtOptions(options: JwtOptions, report: (message: string) => void): JwtSettings {
  checkOptionNames(options, names, 'jwt.');
  const { issuer, audience, clockToleranceMs = 5000, endAtExpiry = true } = options;
  for (const [name, value] of Object.entries({ issuer, audience })) {
    if (typeof value !== 'string' || value === '') throw new TypeError(`"jwt.${name}" must be a string`);
  }
  checkedInteger('jwt.clockToleranceMs', clockToleranceMs, { min: 0, max: 600_000 });
  const keys = parseJwtKeys(options, report);
  const possible = keys.symmetric ? ['HS256'] : ASYMMETRIC;
  const algorithms = options.algorithms ?? possible;
  if (
    !Array.isArray(algorithms) ||
    algorithms.length === 0 ||
    algorithms.some(each => !possible.includes(each))
  ) {
    throw new TypeError(`"jwt.algorithms" must be some of ${possible.join(', ')}`);
  }
  const clockTolerance = clockToleranceMs / 1000;
  const requiredClaims = ['iss', 'aud', 'sub', 'exp'];
  return {
    ...{ keys, clockToleranceMs, endAtExpiry },
    verifyOptions: { issuer, audience, algorithms, clockTolerance, requiredClaims },
  };
}

/** Admits by JWT. */
export function byJwt(settings: JwtSettings): Admit {
  return async credentials => {
    // Three parts of base64url, or it is a token of another kind.
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(credentials.token)) return undefined;
    try {
      return admitted(await verify(credentials.token, settings), { settings, credentials });
    } catch (error) {
      return refusalOf(error);
    }
  };
}

async function verify(token: string, { keys, verifyOptions }: JwtSettings): Promise<JWTPayload> {
  if (keys.get instanceof Uint8Array) return (await jwtVerify(token, keys.get, verifyOptions)).payload;
  try {
    return (await jwtVerify(token, keys.get, verifyOptions)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    return verifyWithEach(token, { candidates: error, verifyOptions });
  }
}

/** The token names no key, and several fit its algorithm. */
async function verifyWithEach(
  token: string,
  {
    candidates,
    verifyOptions,
  }: { candidates: errors.JWKSMultipleMatchingKeys; verifyOptions: JWTVerifyOptions },
): Promise<JWTPayload> {
  let tried = 0;
  for await (const key of candidates) {
    if (++tried > MAX_TRIED_KEYS) break;
    try {
      return (await jwtVerify(token, key, verifyOptions)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

function admitted(
  payload: JWTPayload,
  { settings, credentials }: { settings: JwtSettings; credentials: Credentials },
): Admitted | Refused {
  const { sub, exp } = payload;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_CHARACTERS)
    return claimRefusal('sub');
  const malformed = malformedTime(payload);
  if (malformed) return claimRefusal(malformed);
  let narrowing: Narrowing;
  try {
    narrowing = readNarrowing(payload[RELAY_CLAIM]);
  } catch {
    return claimRefusal(RELAY_CLAIM);
  }
  const { origins, ...rest } = narrowing;
  const isOrigin = (allowed: string) => allowed === '*' || allowed === credentials.origin;
  if (origins && !origins.some(isOrigin)) return { refused: 'origin' };
  const endsAt = Math.min((exp ?? 0) * 1000 + settings.clockToleranceMs, Number.MAX_SAFE_INTEGER);
  return { subject: sub, shared: false, expiresAt: settings.endAtExpiry ? endsAt : undefined, ...rest };
}

function claimRefusal(claim: string): Refused {
  return { refused: 'claim', reason: claim };
}

function refusalOf(error: unknown): Refused {
  if (error instanceof errors.JWTExpired) return { refused: 'expired' };
  // Its signature is right, so it is no guess.
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error.claim);
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid)
    return { refused: 'unavailable' };
  // The answer of the server of keys, and what keeps it from answering.
  const isJose = error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC';
  return { refused: isJose ? 'wrong' : 'unavailable' };
}
