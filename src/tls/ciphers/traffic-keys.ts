import { unknownNumber } from '../../engine/abi.js';
import type { WireReader } from '../../engine/wire.js';

/** The twin of the numbers in wasm/engine/src/tls/external.rs. */
export const Algorithm = { aesGcm: 1, chacha20Poly1305: 2 } as const;
export type Algorithm = (typeof Algorithm)[keyof typeof Algorithm];

/** The keys of one direction. */
export interface TrafficKeys {
  /** Of the next record. */
  sequence: number;
  algorithm: Algorithm;
  key: Uint8Array<ArrayBuffer>;
  iv: Uint8Array<ArrayBuffer>;
}

/** As wasm/engine/src/tls/external.rs writes them. */
export function readKeys(reader: WireReader): TrafficKeys {
  return {
    sequence: reader.u32() * 2 ** 32 + reader.u32(),
    algorithm: readAlgorithm(reader),
    key: reader.bytes(),
    iv: reader.bytes(),
  };
}

function readAlgorithm(reader: WireReader): Algorithm {
  const number = reader.u8();
  if (number !== Algorithm.aesGcm && number !== Algorithm.chacha20Poly1305) throw unknownNumber(number);
  return number;
}
