import { MtlsError } from '../errors.js';
import { concatenated, totalLength } from '../util/bytes.js';
import {
  ABI_VERSION,
  type Emission,
  type HostQuestion,
  Question,
  readEmission,
  readQuestion,
} from './abi.js';
import { Outcomes } from './outcomes.js';
import { type Environment, realEnvironment, wasiImports } from './wasi.js';

/** A piece of memory that the engine handed out during a call. The bytes are a copy; where it lends them, they are good until the next call. */
export interface Emitted {
  kind: Emission;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface CallResult {
  /** What the function returned: its meaning is the function's own, negative is failure. */
  status: number;
  emitted: Emitted[];
}

/** What a call may lean on. */
export interface CallContext {
  environment: Environment;
  /** The answer to a question, or undefined when there is none yet. The question is a view that is good for this call only. */
  ask(kind: HostQuestion, question: Uint8Array): Uint8Array | undefined;
  /** Hears of what is emitted in one piece, before memory is taken for it. The bytes are a view that is good for this call only. */
  announce?(kind: Emission, bytes: Uint8Array): void;
}

/** What a call is given: see `Instance.call`. */
export type Argument = number | Uint8Array | readonly Uint8Array[];

type Exports = Record<string, (...args: number[]) => number> & { memory: WebAssembly.Memory };

const PAGE_BYTES = 64 * 1024;

/** That of a call which asks no questions. */
export const plainContext: CallContext = { environment: realEnvironment, ask: () => undefined };

/**
 * One instance of the engine: its memory, and calls into it.
 *
 * A trap leaves memory in an unknown state. It poisons the instance: that call and every later one throws
 * `ERR_ENGINE_FAILED`.
 */
export class Instance {
  /** Where randomness and time come from, unless a call has its own. */
  readonly environment: Environment;
  #module: WebAssembly.Module;
  #plainContext: CallContext;
  #exports: Exports;
  #memory = new Uint8Array(0);
  #context: CallContext;
  #emitted: Emitted[] = [];
  #answer: Uint8Array | undefined;
  #outcomes = new Outcomes();
  #failure: MtlsError | undefined;

  static async create(module: WebAssembly.Module, environment = realEnvironment): Promise<Instance> {
    const instance = new Instance(module, environment);
    const imports = {
      mtls: instance.#hostImports(),
      wasi_snapshot_preview1: wasiImports({
        memory: () => instance.#exports.memory,
        environment: () => instance.#context.environment,
      }),
    };
    let exports: Exports;
    try {
      exports = (await WebAssembly.instantiate(module, imports)).exports as Exports;
    } catch (cause) {
      throw new MtlsError('ERR_ENGINE_LOAD', 'The engine could not be started.', { cause });
    }
    instance.#exports = exports;
    exports._initialize?.();
    const version = exports.mtls_abi_version?.();
    if (version !== ABI_VERSION) {
      throw new MtlsError(
        'ERR_ENGINE_LOAD',
        `This is not the engine of this library version (ABI ${version ?? 'none'}, wanted ${ABI_VERSION}): serve the engine.wasm of the same package version.`,
      );
    }
    return instance;
  }

  private constructor(module: WebAssembly.Module, environment: Environment) {
    this.#module = module;
    this.environment = environment;
    this.#plainContext = { ...plainContext, environment };
    this.#context = this.#plainContext;
    this.#exports = { memory: new WebAssembly.Memory({ initial: 0 }) } as Exports;
  }

  /** Another instance in the same state: all that a call leaves behind is in the memory. */
  async clone(): Promise<Instance> {
    const clone = await Instance.create(this.#module, this.environment);
    clone.#outcomes = this.#outcomes;
    const { memory } = clone.#exports;
    memory.grow(Math.max(0, this.memoryBytes - clone.memoryBytes) / PAGE_BYTES);
    clone.memory().set(this.memory());
    return clone;
  }

  /** A call has trapped: none is taken any more. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** The linear memory's size in bytes. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** The linear memory as it is now; a call may replace its buffer. */
  memory(): Uint8Array<ArrayBuffer> {
    const { buffer } = this.#exports.memory;
    if (this.#memory.buffer !== buffer) this.#memory = new Uint8Array(buffer as ArrayBuffer);
    return this.#memory;
  }

  /**
   * Calls an export. A `Uint8Array` argument is copied into the engine and becomes two arguments (pointer, length);
   * the copy is wiped afterwards. So does one array of them, for bulk data: joined in a buffer that the next one overwrites.
   */
  call(name: string, args: readonly Argument[], context: CallContext = this.#plainContext): CallResult {
    if (this.#failure) throw this.#failure;
    this.#context = context;
    this.#emitted = [];
    try {
      const flat: number[] = [];
      const inputs: number[] = [];
      for (const argument of args) {
        if (typeof argument === 'number') flat.push(argument);
        else if (isBulk(argument)) this.#fillBuffer(argument, flat);
        else {
          inputs.push(flat.length);
          this.#copyIn(argument, flat);
        }
      }
      const status = this.#export(name)(...flat);
      for (const at of inputs) this.#export('mtls_free')(flat[at] as number, flat[at + 1] as number);
      return { status, emitted: this.#emitted };
    } catch (cause) {
      this.#failure = new MtlsError(
        'ERR_ENGINE_FAILED',
        'The engine failed and can no longer be used: close this client and create another.',
        { cause },
      );
      throw this.#failure;
    } finally {
      this.#context = this.#plainContext;
      this.#emitted = [];
      this.#answer = undefined;
    }
  }

  /** Puts pieces one behind the other into the engine's buffer, for one call. Adds where and how long to the arguments. */
  #fillBuffer(pieces: readonly Uint8Array[], flat: number[]): void {
    const length = totalLength(pieces);
    const pointer = this.#export('mtls_buffer')(length);
    let at = pointer;
    const memory = this.memory();
    for (const piece of pieces) {
      memory.set(piece, at);
      at += piece.length;
    }
    flat.push(pointer, length);
  }

  /** Pieces of memory, whose places are pairs of pointer and length. */
  #pieces(places: number, count: number): Uint8Array[] {
    const memory = this.memory();
    const pairs = new Uint32Array(memory.buffer, places, 2 * count);
    return Array.from({ length: count }, (_, at) => {
      const start = pairs[2 * at] as number;
      return memory.subarray(start, start + (pairs[2 * at + 1] as number));
    });
  }

  #export(name: string): (...args: number[]) => number {
    const found = this.#exports[name];
    if (!found) throw new TypeError(`the engine has no function ${name}`);
    return found;
  }

  #copyIn(bytes: Uint8Array, flat: number[]): void {
    const pointer = this.#export('mtls_alloc')(bytes.length);
    this.memory().set(bytes, pointer);
    flat.push(pointer, bytes.length);
  }

  #hostImports(): WebAssembly.ModuleImports {
    return {
      emit: (number: number, pointer: number, length: number) => {
        const kind = readEmission(number);
        const end = pointer + length;
        this.#context.announce?.(kind, this.memory().subarray(pointer, end));
        this.#emitted.push({ kind, bytes: this.memory().slice(pointer, end) });
      },
      emit_pieces: (kind: number, places: number, count: number) => {
        this.#emitted.push({ kind: readEmission(kind), bytes: concatenated(this.#pieces(places, count)) });
      },
      lend: (kind: number, pointer: number, length: number) => {
        const bytes = this.memory().subarray(pointer, pointer + length);
        this.#emitted.push({ kind: readEmission(kind), bytes });
      },
      ask: (number: number, pointer: number, length: number) => {
        const kind = readQuestion(number);
        const question = this.memory().subarray(pointer, pointer + length);
        this.#answer =
          kind === Question.memory ? this.#outcomes.answer(question) : this.#context.ask(kind, question);
        return this.#answer?.length ?? -1;
      },
      answer: (pointer: number, length: number) => {
        if (this.#answer?.length !== length)
          throw new RangeError('an answer of another length was announced');
        this.memory().set(this.#answer, pointer);
      },
    };
  }
}

function isBulk(argument: Uint8Array | readonly Uint8Array[]): argument is readonly Uint8Array[] {
  return Array.isArray(argument);
}
