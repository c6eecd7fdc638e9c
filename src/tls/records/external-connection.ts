import { Emission } from '../../engine/abi.js';
import type { Instance } from '../../engine/instance.js';
import { WireReader } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import type { RecordEngine } from '../ciphers/record-engine.js';
import { readKeys, type TrafficKeys } from '../ciphers/traffic-keys.js';

/** A connection whose records are sealed and opened elsewhere. */
export class ExternalConnection {
  readonly sendKeys: TrafficKeys;
  readonly receiveKeys: TrafficKeys;
  /** Ciphertext that came before the hand-over. */
  readonly incoming: Uint8Array;
  /** Where the engine seals and opens them. */
  readonly records: RecordEngine;
  #instance: Instance;
  #handle: number;

  constructor(
    instance: Instance,
    handle: number,
    parts: {
      sendKeys: TrafficKeys;
      receiveKeys: TrafficKeys;
      incoming: Uint8Array;
      records: RecordEngine;
    },
  ) {
    this.#instance = instance;
    this.#handle = handle;
    this.sendKeys = parts.sendKeys;
    this.receiveKeys = parts.receiveKeys;
    this.incoming = parts.incoming;
    this.records = parts.records;
  }

  /** Keeps a session ticket for resumption. Returns the alert for a malformed one. */
  keepTicket(body: Uint8Array): number | undefined {
    const { status } = this.#instance.call('tls_external_keep_ticket', [this.#handle, body]);
    return status > 0 ? status : undefined;
  }

  /** The keys after a KeyUpdate. */
  updateKeys(direction: 'send' | 'receive'): TrafficKeys {
    const argument = direction === 'send' ? 0 : 1;
    const { emitted } = this.#instance.call('tls_external_update_keys', [this.#handle, argument]);
    const keys = emitted.find(it => it.kind === Emission.keys);
    if (!keys) throw new MtlsError('ERR_ENGINE_FAILED', 'The engine has no new keys.');
    const read = readKeys(new WireReader(keys.bytes));
    keys.bytes.fill(0);
    return read;
  }

  free(): void {
    this.#instance.call('tls_external_free', [this.#handle]);
  }
}
