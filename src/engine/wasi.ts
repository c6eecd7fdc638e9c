/** Where a call's randomness and time come from. */
export interface Environment {
  fillRandom(bytes: Uint8Array<ArrayBuffer>): void;
  /** Milliseconds since the epoch. */
  now(): number;
}

export const realEnvironment: Environment = {
  fillRandom(bytes) {
    // getRandomValues takes at most 65,536 bytes a call.
    for (let start = 0; start < bytes.length; start += 65_536) {
      crypto.getRandomValues(bytes.subarray(start, start + 65_536));
    }
  },
  now: () => Date.now(),
};

interface WasiHost {
  memory(): WebAssembly.Memory;
  environment(): Environment;
}

const SUCCESS = 0;

/** The few WASI functions that the engine imports: randomness, the clock, an empty environment, and no output. */
export function wasiImports(host: WasiHost): WebAssembly.ModuleImports {
  const view = () => new DataView(host.memory().buffer);
  return {
    random_get(pointer: number, length: number) {
      host.environment().fillRandom(new Uint8Array(host.memory().buffer as ArrayBuffer, pointer, length));
      return SUCCESS;
    },
    clock_time_get(_clock: number, _precision: bigint, pointer: number) {
      view().setBigUint64(pointer, BigInt(Math.trunc(host.environment().now())) * 1_000_000n, true);
      return SUCCESS;
    },
    environ_sizes_get(countPointer: number, sizePointer: number) {
      view().setUint32(countPointer, 0, true);
      view().setUint32(sizePointer, 0, true);
      return SUCCESS;
    },
    environ_get: () => SUCCESS,
    // A panic writes its message here; it is dropped, because nobody has checked it for secrets.
    fd_write(_descriptor: number, vectors: number, count: number, writtenPointer: number) {
      let written = 0;
      for (let i = 0; i < count; i++) written += view().getUint32(vectors + 8 * i + 4, true);
      view().setUint32(writtenPointer, written, true);
      return SUCCESS;
    },
    proc_exit(code: number) {
      throw new Error(`the engine exited with ${code}`);
    },
    sched_yield: () => SUCCESS,
  };
}
