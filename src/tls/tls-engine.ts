import { Emission, FailureKind } from '../engine/abi.js';
import { Conversation } from '../engine/conversation.js';
import { type CallResult, Instance } from '../engine/instance.js';
import { type Respondent, Transactions } from '../engine/transaction.js';
import { encodeMaterial, encodePins } from '../engine/trust.js';
import { WireReader, WireWriter } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import type { ChaCha20Poly1305Engine } from './aead.js';
import { readFailure } from './failure.js';
import { readKeys, type TrafficKeys } from './traffic-keys.js';
import type { TlsConnectOptions, TlsSettings, TlsVersion } from './types.js';

const encoder = new TextEncoder();
const versionBits = { 'TLSv1.2': 1, 'TLSv1.3': 2 } as const;

/** The engine's TLS side with one configuration: trust anchors, protocol versions, session cache. */
export class TlsEngine {
  #instance: Instance;
  #transactions: Transactions;
  #config: number;
  /** Those that are offered. */
  readonly versions: readonly TlsVersion[];

  /** @throws MtlsError ERR_CERT_MALFORMED (an anchor), ERR_ENGINE_LOAD */
  static async create(module: WebAssembly.Module, settings: TlsSettings): Promise<TlsEngine> {
    return new TlsEngine(await Instance.create(module), settings);
  }

  private constructor(instance: Instance, settings: TlsSettings) {
    this.#instance = instance;
    this.#transactions = new Transactions(instance);
    this.versions = readVersions(settings.versions);
    this.#config = handle(instance.call('tls_config_new', [encodeSettings(settings, this.versions)]));
  }

  /** The linear memory's size in bytes. */
  get memoryBytes(): number {
    return this.#instance.memoryBytes;
  }

  /** Returns the handle of a new connection. */
  open({ hostname, partition, alpn = [], pins }: TlsConnectOptions): number {
    const target = new WireWriter()
      .str(hostname)
      .str(partition)
      .list(alpn.map(name => encoder.encode(name)))
      .bytes(encodePins(pins))
      .finish();
    return handle(this.#instance.call('tls_connection_new', [this.#config, target]));
  }

  /** Hears what the server says during the handshake. */
  converse(connection: number, respondent: Respondent): Conversation {
    return new Conversation({
      instance: this.#instance,
      transactions: this.#transactions,
      name: 'tls_connection_process',
      object: connection,
      respondent,
    });
  }

  /**
   * Ends a handshake. Gives the records of an alert (RFC 8446 section 6), if one can be sent.
   *
   * @param unheard what the server has said and the connection has not taken
   */
  abandon(connection: number, alert: number, unheard: Uint8Array): Uint8Array | undefined {
    const { emitted } = this.#instance.call('tls_connection_abandon', [connection, alert, unheard]);
    return emitted.find(it => it.kind === Emission.ciphertext)?.bytes;
  }

  free(connection: number): void {
    this.#instance.call('tls_connection_free', [connection]);
  }

  /** Hands over the records of a connection whose handshake is complete; its handle is then gone. */
  export(connection: number): ExternalConnection {
    const { status, emitted } = this.#instance.call('tls_connection_export', [connection]);
    const [keys, incoming] = emitted;
    if (status < 0 || keys?.kind !== Emission.keys || !incoming) {
      throw new MtlsError('ERR_ENGINE_FAILED', 'The engine could not hand the records over.');
    }
    const reader = new WireReader(keys.bytes);
    const [sendKeys, receiveKeys] = [readKeys(reader), readKeys(reader)];
    keys.bytes.fill(0);
    return new ExternalConnection(this.#instance, status, {
      sendKeys,
      receiveKeys,
      incoming: incoming.bytes,
    });
  }
}

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

/** @throws TypeError */
function readVersions(versions: readonly TlsVersion[] = ['TLSv1.2', 'TLSv1.3']): readonly TlsVersion[] {
  if (versions.length === 0 || !versions.every(version => Object.hasOwn(versionBits, version)))
    throw new TypeError('TLS versions: TLSv1.2, TLSv1.3 or both');
  return [...new Set(versions)];
}

function encodeSettings(settings: TlsSettings, versions: readonly TlsVersion[]): Uint8Array {
  return new WireWriter()
    .u8(versions.reduce((bits, version) => bits | versionBits[version], 0))
    .u8(settings.evaluateServers ? 1 : 0)
    .u8(settings.postQuantum === false ? 0 : 1)
    .bytes(encodeMaterial(settings))
    .finish();
}

function handle(result: CallResult): number {
  if (result.status > 0) return result.status;
  const failure = result.emitted.find(it => it.kind === Emission.failure);
  if (!failure) throw new MtlsError('ERR_ENGINE_FAILED', 'The engine does not know that object.');
  const { kind, message } = readFailure(new WireReader(failure.bytes));
  if (kind === FailureKind.misuse) throw new TypeError(message);
  throw new MtlsError('ERR_CERT_MALFORMED', `Trust cannot be read: ${message}.`);
}
