import { MtlsError } from '../errors.js';

/** What IndexedDB's errors mean to the caller; those of this library and misuse stay what they are. */
export function storeError(cause: unknown): unknown {
  if (cause instanceof MtlsError || cause instanceof TypeError) return cause;
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : '';
  switch (name) {
    case 'QuotaExceededError':
      return new MtlsError('ERR_STORE_QUOTA', 'The browser has no room left for this site.', { cause });
    case 'VersionError':
      return unavailable('The keychain was written by a newer version of this page: reload it.', cause);
    case 'InvalidStateError':
      return unavailable('The keychain is closed.', cause);
    case 'DataCloneError':
      return unavailable('This browser cannot store private keys.', cause);
    default:
      return unavailable('The browser refuses access to its storage.', cause);
  }
}

/** Keys that cannot be exported cannot be wrapped: whether they are to be is said before there are any. */
export function noSealedCopy(): MtlsError {
  const message =
    'User verification needs a private key that can be wrapped, and of this one no sealed copy was kept: open its file again with ' +
    '`sealedCopy: true`, or create the identity with this control in a store, and add it anew.';
  return new MtlsError('ERR_IDENTITY_NO_SEALED_COPY', message);
}

export function unreadableKey(cause?: unknown): MtlsError {
  const message =
    'The wrapped key of this identity cannot be read: delete the identity, and import or enrol it again.';
  return new MtlsError('ERR_STORE_RECORD', message, { cause });
}

export function unavailable(message: string, cause?: unknown): MtlsError {
  return new MtlsError('ERR_STORE_UNAVAILABLE', message, { cause });
}
