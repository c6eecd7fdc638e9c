import type { HostPort } from '../util/host-port.js';
import type { Certificate, Identity, StoredIdentity } from './types.js';

/** The way to the keys of a stored identity: whoever uses them goes through its controls. */
export interface KeyAccess {
  /**
   * The identity's keys, for use with a target now; asks the person first where that is required.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_IDENTITY_EXPIRED, ERR_IDENTITY_LOCKED, ERR_IDENTITY_NOT_ALLOWED,
   *   ERR_VERIFICATION_FAILED, ERR_VERIFICATION_UNAVAILABLE
   */
  use(target: HostPort): Promise<CryptoKey[]>;
  /** Whether `use` would give keys without asking anybody, as far as it can be told without waiting. */
  ready(): boolean;
  /** Notes a use. */
  markUsed(target: HostPort): Promise<void>;
  /** The identity as the store has it now; undefined when it is gone. */
  current(): Promise<StoredIdentity | undefined>;
  /** Another number after each change in the store. */
  revision(): number;
  /** Calls back when the identity was deleted or locked; returns what ends that. */
  onEnd(listener: () => void): () => void;
}

// By the certificate object, which copies of an identity share.
const accesses = new WeakMap<Certificate, KeyAccess>();

export function setKeyAccess({ certificate }: Identity, access: KeyAccess): void {
  accesses.set(certificate, access);
}

/** Undefined for an identity that is in no store. */
export function keyAccessOf({ certificate }: Identity): KeyAccess | undefined {
  return accesses.get(certificate);
}
