import { MtlsError } from '../../errors.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../../util/options.js';
import { unreadableKey } from '../errors.js';
import type { UserVerification, VerificationSubject } from './user-verification.js';

/** The question that `ask` gets. */
export interface PassphraseQuestion {
  /** The identity whose key the passphrase protects. */
  subject: VerificationSubject;
  /** `set`: the person chooses a passphrase (ask twice). `unlock`: the person enters it. */
  purpose: 'set' | 'unlock';
  /** Counts from 1. More than 1: the last passphrase was wrong. */
  attempt: number;
  /** Aborts when the answer is no longer needed. Close the dialog then. */
  signal?: AbortSignal;
}

/** Options of `passphraseVerification`. */
export interface PassphraseOptions {
  /** Asks the person. `undefined` means that the person declined (ERR_VERIFICATION_FAILED). */
  ask(question: PassphraseQuestion): Promise<string | undefined> | string | undefined;
  /** How often the person may try, from 1 on. Default: 3. */
  maxAttempts?: number;
}

interface Parameters {
  hash: 'SHA-256';
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
}

const ITERATIONS = 1_000_000;
/** Of a later version, at most: they take some seconds. */
const MAX_ITERATIONS = 20_000_000;
const SALT_BYTES = 16;
const names: OptionNames<PassphraseOptions> = { ask: true, maxAttempts: true };

/**
 * User verification by a passphrase, for browsers without WebAuthn's PRF extension. The wrapping key is derived by PBKDF2
 * (RFC 8018) with HMAC-SHA-256, 1,000,000 iterations and a salt for each identity. It is as strong as the passphrase: anyone who copies
 * the browser's storage can guess without limit. So can a script of the page's origin, which can also read what the person types.
 */
export function passphraseVerification(options: PassphraseOptions): UserVerification {
  checkOptionNames(options, names);
  const { ask, maxAttempts = 3 } = options;
  if (typeof ask !== 'function') throw new TypeError('"ask" must be a function');
  checkedInteger('maxAttempts', maxAttempts, { min: 1, max: Number.MAX_SAFE_INTEGER });
  const given = async (question: PassphraseQuestion) => {
    const passphrase = await ask(question);
    question.signal?.throwIfAborted();
    if (!passphrase) throw new MtlsError('ERR_VERIFICATION_FAILED', 'No passphrase was given.');
    if (typeof passphrase !== 'string') throw new TypeError('"ask" must return a string');
    return passphrase;
  };
  return {
    method: 'passphrase',
    maxAttempts,
    async prepare(subject, { signal }) {
      const passphrase = await given({ subject, purpose: 'set', attempt: 1, ...(signal && { signal }) });
      const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
      const parameters: Parameters = { hash: 'SHA-256', salt, iterations: ITERATIONS };
      return { wrappingKey: await derive(passphrase, parameters, 'wrapKey'), parameters };
    },
    async verify(subject, stored, { attempt, signal }) {
      const parameters = readParameters(stored);
      const passphrase = await given({ subject, purpose: 'unlock', attempt, ...(signal && { signal }) });
      return derive(passphrase, parameters, 'unwrapKey');
    },
  };
}

/** Of a record that something else may have written. @throws MtlsError ERR_STORE_RECORD */
function readParameters(stored: unknown): Parameters {
  const { hash, salt, iterations = 0 } = (stored ?? {}) as Partial<Parameters>;
  const bounded = Number.isInteger(iterations) && iterations > 0 && iterations <= MAX_ITERATIONS;
  if (hash !== 'SHA-256' || !(salt instanceof Uint8Array) || !bounded) throw unreadableKey();
  return { hash, salt, iterations };
}

async function derive(passphrase: string, parameters: Parameters, usage: 'wrapKey' | 'unwrapKey') {
  // The same characters, however the keyboard composes them (RFC 8265, section 4.2).
  const bytes = new TextEncoder().encode(passphrase.normalize('NFC'));
  try {
    const base = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveKey']);
    const algorithm = { name: 'PBKDF2', ...parameters };
    return await crypto.subtle.deriveKey(algorithm, base, { name: 'AES-GCM', length: 256 }, false, [usage]);
  } finally {
    bytes.fill(0);
  }
}
