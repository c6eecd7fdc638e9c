import type { UnreachableReason } from '../../../src/tunnel/wire/codes.js';

/** The policy refuses the target; the message is for the relay's log. */
export class TargetDeniedError extends Error {}

/** The relay looks up as many names as it may. */
export class LookupLimitError extends Error {}

/** The target is allowed and cannot be reached; `reason` is that of RESET. */
export class TargetUnreachableError extends Error {
  readonly reason: UnreachableReason;

  constructor(reason: UnreachableReason, cause?: unknown) {
    super(`target unreachable: ${reason}`, { cause });
    this.reason = reason;
  }
}
