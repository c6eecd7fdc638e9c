import { MtlsError } from '../../errors.js';
import {
  ContentType,
  type EngineOutput,
  type RecordCipher,
  type Transmit,
} from '../ciphers/record-cipher.js';
import { Alert, AlertLevel } from '../errors/record-fault.js';
import { HandshakeType } from './handshake-messages.js';

/** Seals what this side sends, and transmits it in the order of the records' numbers. */
export class RecordSender {
  #cipher: RecordCipher;
  #transmit: Transmit;
  /** The cipher with the next keys. */
  #nextCipher: () => Promise<RecordCipher>;
  /** The server has asked for new keys of ours: they are due before the next data (RFC 8446 section 4.6.3). */
  #updateIsDue = false;
  #closed = false;
  /** Settles when all has been transmitted. Behind a failure nothing follows: a number is missing. */
  #turn: Promise<void> = Promise.resolve();
  /** Sends that wait for their turn, or have failed: no other may overtake them. */
  #waiting = 0;

  constructor(
    cipher: RecordCipher,
    { transmit, nextCipher }: { transmit: Transmit; nextCipher: () => Promise<RecordCipher> },
  ) {
    this.#cipher = cipher;
    this.#transmit = transmit;
    this.#nextCipher = nextCipher;
  }

  /** Seals and transmits; resolves when that is done. */
  send(plaintext: Uint8Array): Promise<void> {
    return this.#sendData(async cipher =>
      this.#transmit(await cipher.seal(ContentType.applicationData, plaintext)),
    );
  }

  /** The same for output: in the call, where nothing is in the way. Later output may follow while earlier is being sealed. */
  sendOutput(output: EngineOutput): Promise<void> | void {
    if (this.#waiting > 0 || this.#needsNewKeys)
      return this.#sendData(cipher => cipher.sealOutput(output, this.#transmit));
    const sent = this.#seal(output);
    if (!sent) return;
    this.#turn = sent;
    sent.catch(() => {
      this.#waiting++;
    });
    return sent;
  }

  /** Sends close_notify. Nothing follows it. */
  sendClose(): Promise<void> {
    const sent = this.sendAlert(AlertLevel.warning, Alert.closeNotify);
    this.#closed = true;
    return sent;
  }

  async sendAlert(level: number, alert: number): Promise<void> {
    if (this.#closed) return;
    await this.#inTurn(async () =>
      this.#transmit(await this.#cipher.seal(ContentType.alert, Uint8Array.of(level, alert))),
    );
  }

  /** Before the next data, once, however often it is asked for while nothing is sent. */
  updateKeys(): void {
    this.#updateIsDue = true;
  }

  /** Forgets the keys. */
  free(): void {
    this.#cipher.free();
  }

  #seal(output: EngineOutput): Promise<void> | void {
    try {
      return this.#cipher.sealOutput(output, this.#transmit);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #sendData(send: (cipher: RecordCipher) => Promise<void> | void): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#needsNewKeys) this.#transmit(await this.#announceKeys());
      await send(this.#cipher);
    });
  }

  get #needsNewKeys(): boolean {
    return this.#updateIsDue || this.#cipher.isUsedUp;
  }

  #inTurn(send: () => Promise<void>): Promise<void> {
    this.#waiting++;
    const done = this.#turn.then(send).then(() => {
      this.#waiting--;
    });
    this.#turn = done;
    done.catch(() => {});
    return done;
  }

  /** The message that announces the new keys, sealed with the old ones. */
  async #announceKeys(): Promise<Uint8Array> {
    if (this.#cipher.version === 'TLSv1.2') throw usedUp();
    this.#updateIsDue = false;
    const message = Uint8Array.of(HandshakeType.keyUpdate, 0, 0, 1, 0);
    const announced = await this.#cipher.seal(ContentType.handshake, message);
    const used = this.#cipher;
    this.#cipher = await this.#nextCipher();
    used.free();
    return announced;
  }
}

/** TLS 1.2 has no key updates. */
function usedUp(): MtlsError {
  return new MtlsError(
    'ERR_TLS_PROTOCOL',
    'The connection has sent all that its keys are good for (2^23 records over TLS 1.2): connect again, or have the server allow TLS 1.3.',
  );
}
