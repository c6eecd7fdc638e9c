import type { Cost } from '../budget/import-budget.js';
import type { Encryption } from './encryption.js';
import type { Pbkdf2, Scrypt } from './key-derivation.js';
import type { MacScheme } from './mac-scheme.js';

const HASH_BLOCK_BYTES = 128;

/** What a key derivation costs. */
export function costOf(derivation: Pbkdf2 | Scrypt | { kind?: never; iterations: number }): Cost {
  if (derivation.kind !== 'scrypt') return { iterations: derivation.iterations, memoryBytes: 0 };
  const { cost, blockSize, parallelization } = derivation;
  return {
    iterations: 2 * cost * blockSize * parallelization,
    memoryBytes: HASH_BLOCK_BYTES * blockSize * (cost + parallelization),
  };
}

export function encryptionCost(encryption: Encryption): Cost {
  return costOf(encryption.kind === 'pbes2' ? encryption.derivation : { iterations: encryption.iterations });
}

export function macCost({ scheme, iterations }: { scheme: MacScheme; iterations: number }): Cost {
  return costOf(scheme.kind === 'pbmac1' ? scheme.derivation : { iterations });
}
