import { FailureKind } from '../../engine/abi.js';
import type { Failure } from './failure.js';

/** The alerts that the record layer sends, or knows (RFC 8446 section 6). */
export const Alert = {
  closeNotify: 0,
  unexpectedMessage: 10,
  badRecordMac: 20,
  recordOverflow: 22,
  illegalParameter: 47,
  decodeError: 50,
  userCanceled: 90,
  noRenegotiation: 100,
} as const;

export const AlertLevel = { warning: 1, fatal: 2 } as const;

interface Reply {
  level: number;
  alert: number;
}

/** Why records are read no further, and the alert that tells the server. */
export class RecordFault extends Error {
  readonly failure: Failure;
  readonly reply: Reply | undefined;

  private constructor(failure: Failure, reply: Reply | undefined) {
    super(failure.message);
    this.failure = failure;
    this.reply = reply;
  }

  /** The server breaks the protocol. */
  static protocol(alert: number, message: string): RecordFault {
    const reply = { level: AlertLevel.fatal, alert };
    return new RecordFault({ kind: FailureKind.protocol, number: 0, message }, reply);
  }

  /** The server has sent an alert; `answer` is the one for an alert that is malformed itself. */
  static received(alert: number, answer?: number): RecordFault {
    const reply = answer === undefined ? undefined : { level: AlertLevel.fatal, alert: answer };
    return new RecordFault({ kind: FailureKind.alert, number: alert, message: '' }, reply);
  }

  /** The server asks for what this client does not do after the handshake. */
  static renegotiation(reply: Reply): RecordFault {
    const message = 'another handshake, or a certificate, was asked for';
    return new RecordFault({ kind: FailureKind.renegotiation, number: 0, message }, reply);
  }
}
