import { isLocalhost } from './target.js';
import { TargetUnreachableError } from './target-error.js';

export interface LookupOptions {
  /** The name may be a short one, to be completed by the system's search list. */
  search: boolean;
  /** Whose share of the lookups at once it is. */
  account: string;
  signal: AbortSignal;
}

/** Finds the addresses of names. */
export interface NameResolver {
  /**
   * Resolves with addresses, at least one; rejects with a {@link TargetUnreachableError} of reason `dns`, or with the signal's
   * reason.
   */
  resolve(name: string, options: LookupOptions): Promise<readonly string[]>;
}

/** Addresses of a family that are looked at: whoever controls a name's DNS chooses how many there are. */
export const MAX_ADDRESSES = 16;

/** Top-level names that no server is asked about (RFC 6761 section 6.4, RFC 7686). */
const NEVER_FOUND = /(?:^|\.)(?:invalid|onion)$/;

/** The addresses of a name that has a meaning without any lookup; none if it exists nowhere. */
export function specialAddresses(name: string): readonly string[] | undefined {
  if (isLocalhost(name)) return ['::1', '127.0.0.1'];
  return NEVER_FOUND.test(name) ? [] : undefined;
}

/** @throws TargetUnreachableError */
export function someOf(addresses: readonly string[]): readonly string[] {
  if (addresses.length === 0) throw new TargetUnreachableError('dns');
  return addresses;
}
