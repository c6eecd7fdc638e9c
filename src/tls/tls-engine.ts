import { Emission, FailureKind } from '../engine/abi.js';
import { type CallResult, Instance } from '../engine/instance.js';
import { Transactions } from '../engine/transaction.js';
import { encodeMaterial, encodePins } from '../engine/trust.js';
import { WireReader, WireWriter } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import { RecordEngine } from './ciphers/record-engine.js';
import { readFailure } from './errors/failure.js';
import { type HandshakeHost, HandshakeLayer } from './handshake/handshake-layer.js';
import { ShownCertificates } from './handshake/shown-certificates.js';
import type { TlsConnectOptions, TlsSettings, TlsVersion } from './types.js';

const encoder = new TextEncoder();
const versionBits = { 'TLSv1.2': 1, 'TLSv1.3': 2 } as const;

/** The engine's TLS side with one configuration: trust anchors, protocol versions, session cache. */
export class TlsEngine {
  #instance: Instance;
  #transactions: Transactions;
  #records: RecordEngine;
  #logKeys: ((line: string) => void) | undefined;
  #config: number;
  /** Of all its connections. */
  readonly shown = new ShownCertificates();
  /** Those that are offered. */
  readonly versions: readonly TlsVersion[];

  /** @throws MtlsError ERR_CERT_MALFORMED (an anchor), ERR_ENGINE_LOAD */
  static async create(
    module: WebAssembly.Module,
    settings: TlsSettings,
    /** Where records are sealed and opened. Default: in the instance of the handshakes. */
    records?: Promise<RecordEngine>,
  ): Promise<TlsEngine> {
    const [instance, engine] = await Promise.all([Instance.create(module, settings.environment), records]);
    return new TlsEngine(instance, settings, engine ?? new RecordEngine(instance));
  }

  private constructor(instance: Instance, settings: TlsSettings, records: RecordEngine) {
    this.#instance = instance;
    this.#records = records;
    this.#logKeys = settings.dangerouslyLogKeys;
    this.#transactions = new Transactions(instance);
    this.versions = readVersions(settings.versions);
    this.#config = handle(instance.call('tls_config_new', [encodeSettings(settings, this.versions)]));
  }

  /** The linear memory's size in bytes. */
  get memoryBytes(): number {
    return this.#instance.memoryBytes;
  }

  /** A new connection: the records of its handshake. */
  open(options: TlsConnectOptions, host: HandshakeHost): HandshakeLayer {
    const { hostname, partition, alpn = [], pins } = options;
    const target = new WireWriter()
      .str(hostname)
      .str(partition)
      .list(alpn.map(name => encoder.encode(name)))
      .bytes(encodePins(pins))
      .finish();
    const engine = {
      instance: this.#instance,
      transactions: this.#transactions,
      records: this.#records,
      logKeys: this.#logKeys,
    };
    const object = handle(this.#instance.call('tls_connection_new', [this.#config, target]));
    return new HandshakeLayer(engine, object, host);
  }
}

/** @throws TypeError */
function readVersions(versions: readonly TlsVersion[] = ['TLSv1.2', 'TLSv1.3']): readonly TlsVersion[] {
  if (versions.length === 0 || !versions.every(version => Object.hasOwn(versionBits, version)))
    throw new TypeError('"tlsVersions" must be TLSv1.2, TLSv1.3 or both');
  return [...new Set(versions)];
}

function encodeSettings(settings: TlsSettings, versions: readonly TlsVersion[]): Uint8Array {
  return new WireWriter()
    .u8(versions.reduce((bits, version) => bits | versionBits[version], 0))
    .u8(settings.evaluateServers ? 1 : 0)
    .u8(settings.postQuantum === false ? 0 : 1)
    .u8(settings.dangerouslyLogKeys ? 1 : 0)
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
