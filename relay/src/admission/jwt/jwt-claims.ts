import { checkedInteger, MAX_TIMER_MS } from '../../../../src/util/options.js';
import { MIN_BYTES_PER_SECOND } from '../../limits.js';
import { parseTargetRule } from '../../policy/target-rule.js';
import type { Admitted } from '../admission.js';
import { parseOrigin } from '../origins.js';

/** Claims that are seconds since 1970 (RFC 7519 section 2, NumericDate), fractions included. */
const TIMES = ['exp', 'nbf', 'iat'] as const;

/** The claim of a time that is none, if there is one: JSON's `1e999` is read as infinity, and would be a token without end. */
export function malformedTime(payload: Record<string, unknown>): string | undefined {
  return TIMES.find(name => payload[name] !== undefined && !isTime(payload[name]));
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** The claim that narrows what a token's page may do. */
export const RELAY_CLAIM = 'browser_mtls_relay';

/** {@link RELAY_CLAIM}, read. */
export interface Narrowing extends Pick<Admitted, 'targets' | 'maxStreams' | 'bytesPerSecond'> {
  origins?: string[] | undefined;
}

/**
 * Reads the claim `{ targets, origins, streams, bytes_per_second }`, each part of which may be absent.
 *
 * @throws TypeError for anything else: what cannot be read must not be left out, because it would allow more
 */
export function readNarrowing(claim: unknown): Narrowing {
  if (claim === undefined) return {};
  if (claim === null || typeof claim !== 'object' || Array.isArray(claim)) throw new TypeError(RELAY_CLAIM);
  const {
    targets,
    origins,
    streams,
    bytes_per_second: bytesPerSecond,
    ...others
  } = claim as Record<string, unknown>;
  if (Object.keys(others).length > 0) throw new TypeError(RELAY_CLAIM);
  return {
    targets: readList(targets)?.map(parseTargetRule),
    origins: readList(origins)?.map(parseOrigin),
    maxStreams: readCount('streams', streams, 0),
    bytesPerSecond: readCount('bytes_per_second', bytesPerSecond, MIN_BYTES_PER_SECOND),
  };
}

function readList(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some(entry => typeof entry !== 'string'))
    throw new TypeError(RELAY_CLAIM);
  return value;
}

function readCount(name: string, value: unknown, min: number): number | undefined {
  return value === undefined ? undefined : checkedInteger(name, value, { min, max: MAX_TIMER_MS });
}
