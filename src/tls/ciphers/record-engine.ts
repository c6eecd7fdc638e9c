import { Emission, unknownNumber } from '../../engine/abi.js';
import {
  type Argument,
  type CallContext,
  type CallResult,
  type Emitted,
  type Instance,
  plainContext,
} from '../../engine/instance.js';
import { WireReader, WireWriter } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import type { TlsVersion } from '../types.js';
import type { TrafficKeys } from './traffic-keys.js';

/** The twins of the numbers in wasm/engine/src/tls/records.rs. */
const versionNumbers = { 'TLSv1.2': 2, 'TLSv1.3': 3 } as const;
const faults = { 1: 'not authentic', 2: 'too large', 3: 'no type' } as const;

/** Why a record cannot be opened. */
export type OpeningFault = (typeof faults)[keyof typeof faults];

/** What came of records, up to the first one that is not application data, or that carries none. */
export interface EngineOpened {
  /** How many were opened. */
  records: number;
  /** Length of the application data. */
  dataBytes: number;
  /** The application data, unless HTTP has got it. */
  data: Uint8Array | undefined;
  /** What the last one carries, where it is not application data. */
  other: { type: number; content: Uint8Array } | undefined;
  fault: OpeningFault | undefined;
}

/** What may be written over in front of records that the engine lends: the twin is in wasm/abi/src/records.rs. */
const ROOM_BYTES = 8;

/** Records, one behind the other, as a view that is good until the next call. */
export interface EngineSealed {
  bytes: Uint8Array<ArrayBuffer>;
  records: number;
  /** Bytes in front of the view that may be written over. */
  roomBytes: number;
}

export interface CallOptions {
  /** Takes what concerns the caller out of what the engine emits, before the rest is delivered. */
  inspect?: (status: number, emitted: Emitted[]) => void;
  announce?: CallContext['announce'] | undefined;
}

export type EngineCall = (name: string, args: readonly Argument[], options: CallOptions) => void;

/** Seals and opens records in an instance of the engine, where HTTP may have or get what they carry. */
export class RecordEngine {
  #call: EngineCall;

  constructor(instance: Instance, call?: EngineCall) {
    this.#call =
      call ??
      ((name, args, { inspect, announce }) => {
        const context = announce ? { ...plainContext, announce } : plainContext;
        const { status, emitted } = instance.call(name, args, context);
        inspect?.(status, emitted);
      });
  }

  /** Returns a handle. The bytes of the key are wiped. */
  newKeys(version: TlsVersion, { algorithm, key, iv }: TrafficKeys): number {
    const encoded = new WireWriter().u8(versionNumbers[version]).u8(algorithm).bytes(key).bytes(iv).finish();
    const { status } = this.#run('records_keys_new', [encoded]);
    for (const bytes of [encoded, key]) bytes.fill(0);
    if (status <= 0) throw new MtlsError('ERR_ENGINE_FAILED', 'The engine does not take the keys.');
    return status;
  }

  freeKeys(keys: number): void {
    this.#run('records_keys_free', [keys]);
  }

  /**
   * Opens whole records, the first of which has the number `sequence`. `connection` is that of HTTP which gets the data; 0: none. `release`
   * is called if all of them have been opened, before memory is taken for what they carry.
   */
  open(
    keys: number,
    records: readonly Uint8Array[],
    {
      sequence,
      connection,
      release,
    }: { sequence: number; connection: number; release?: (() => void) | undefined },
  ): EngineOpened {
    const args = [keys, ...halves(sequence), connection, records];
    const announce = (kind: Emission, bytes: Uint8Array) => {
      if (kind === Emission.recordsOpened && new WireReader(bytes).u32() === records.length) release?.();
    };
    const { emitted } = this.#run('records_open', args, { announce: release && announce });
    const summary = emitted.find(it => it.kind === Emission.recordsOpened);
    if (!summary) throw unusable();
    const reader = new WireReader(summary.bytes);
    const [opened, dataBytes, fault, type] = [reader.u32(), reader.u32(), reader.u8(), reader.u8()];
    return {
      records: opened,
      dataBytes,
      data: emitted.find(it => it.kind === Emission.recordContent)?.bytes,
      other: type === 0 ? undefined : { type, content: reader.bytes() },
      fault: readFault(fault),
    };
  }

  /** The first record gets the number `sequence`. */
  seal(
    keys: number,
    { content, sequence, type }: { content: Uint8Array; sequence: number; type: number },
    use: (sealed: EngineSealed) => void,
  ): void {
    const args = [keys, ...halves(sequence), type, [content]];
    this.#run('records_seal', args, { use: result => use(sealed(result)) });
  }

  /** Seals what an HTTP connection of the instance has to send. */
  sealOutput(
    keys: number,
    { connection, sequence }: { connection: number; sequence: number },
    use: (sealed: EngineSealed) => void,
  ): void {
    const args = [keys, ...halves(sequence), connection];
    this.#run('records_seal_http', args, { use: result => use(sealed(result)) });
  }

  /**
   * `use` comes before anything else that the call has emitted is delivered, which may lead to the next call. What it throws is thrown
   * behind that: others wait for it.
   */
  #run(
    name: string,
    args: readonly Argument[],
    { use, announce }: { use?: (result: CallResult) => void } & Pick<CallOptions, 'announce'> = {},
  ): CallResult {
    const result: CallResult = { status: 0, emitted: [] };
    let failure: { error: unknown } | undefined;
    const inspect = (status: number, emitted: Emitted[]) => {
      result.status = status;
      let others = 0;
      for (const it of emitted) {
        if (isRecords(it)) result.emitted.push(it);
        else emitted[others++] = it;
      }
      emitted.length = others;
      try {
        use?.(result);
      } catch (error) {
        failure = { error };
      }
    };
    this.#call(name, args, { inspect, announce });
    if (failure) throw failure.error;
    return result;
  }
}

function isRecords({ kind }: Emitted): boolean {
  return kind === Emission.recordsOpened || kind === Emission.recordContent || kind === Emission.ciphertext;
}

function sealed({ status, emitted }: CallResult): EngineSealed {
  const records = emitted.find(it => it.kind === Emission.ciphertext);
  if (status < 0 || !records) throw unusable();
  return { bytes: records.bytes, records: status, roomBytes: ROOM_BYTES };
}

function readFault(number: number): OpeningFault | undefined {
  if (number === 0) return undefined;
  const fault = (faults as Record<number, OpeningFault>)[number];
  if (!fault) throw unknownNumber(number);
  return fault;
}

/** The upper and the lower 32 bits. */
function halves(sequence: number): [high: number, low: number] {
  return [Math.floor(sequence / 2 ** 32), sequence % 2 ** 32];
}

function unusable(): MtlsError {
  return new MtlsError('ERR_ENGINE_FAILED', 'The engine does not know the keys of these records.');
}
