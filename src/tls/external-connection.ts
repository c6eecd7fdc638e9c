import { Emission } from '../engine/abi.js';
import type { Instance } from '../engine/instance.js';
import { WireReader } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import type { ChaCha20Poly1305Engine } from './aead.js';
import { readKeys, type TrafficKeys } from './traffic-keys.js';

/** A connection whose records are sealed and opened elsewhere. */
export class ExternalConnection implements ChaCha20Poly1305Engine {
  readonly sendKeys: TrafficKeys;
  readonly receiveKeys: TrafficKeys;
  /** Ciphertext that came before the hand-over. */
  readonly incoming: Uint8Array;
  #instance: Instance;
  #handle: number;

  constructor(
    instance: Instance,
    handle: number,
    parts: { sendKeys: TrafficKeys; receiveKeys: TrafficKeys; incoming: Uint8Array },
  ) {
    this.#instance = instance;
    this.#handle = handle;
    this.sendKeys = parts.sendKeys;
    this.receiveKeys = parts.receiveKeys;
    this.incoming = parts.incoming;
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

  chacha20Poly1305(
    use: 'seal' | 'open',
    parameters: Uint8Array,
    content: Uint8Array,
  ): Uint8Array | undefined {
    const seals = use === 'seal' ? 1 : 0;
    const { emitted } = this.#instance.call('tls_chacha20_poly1305', [seals, parameters, content]);
    return emitted.find(it => it.kind === Emission.recordContent)?.bytes;
  }

  free(): void {
    this.#instance.call('tls_external_free', [this.#handle]);
  }
}
