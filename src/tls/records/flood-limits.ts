import { Alert, RecordFault } from '../errors/record-fault.js';

/** What a server may send without data in between: as in rustls and BoringSSL, which do not limit tickets. */
const WITHOUT_DATA = { 'empty records': 32, 'key updates': 32, 'session tickets': 1024 };
/** In the life of a connection. As rustls does. */
const MAX_WARNINGS = 4;

/** Ends a server's stream of what is allowed but brings nothing, so that it cannot keep the page busy. */
export class FloodLimits {
  #withoutData = new Map<string, number>();
  #warnings: number;

  /** @param warnings those of the handshake */
  constructor(warnings: number) {
    this.#warnings = warnings;
  }

  count(kind: keyof typeof WITHOUT_DATA): void {
    const count = (this.#withoutData.get(kind) ?? 0) + 1;
    this.#withoutData.set(kind, count);
    if (count > WITHOUT_DATA[kind]) throw tooMany(kind);
  }

  countWarning(): void {
    if (++this.#warnings > MAX_WARNINGS) throw tooMany('alerts that are warnings');
  }

  /** Bytes of the application have come; a record without any is none. */
  reset(): void {
    this.#withoutData.clear();
  }
}

function tooMany(what: string): RecordFault {
  return RecordFault.protocol(Alert.unexpectedMessage, `too many ${what} came in a row`);
}
