import type { KeyObject } from 'node:crypto';
import type { MtlsErrorCode } from '../../../src/index.js';

/** What must come out of a file. */
export interface ExpectedIdentity {
  /** As OpenSSL's -subj has it, e.g. `/O=Engines/CN=client-p256`. */
  commonName: string;
  /** Absent: not looked at. */
  label?: string;
  /** Certificates in the chain, the own one included. Absent: not looked at. */
  chain?: number;
  /** For a certificate whose public key Node does not read. */
  key?: KeyObject;
}

export type Expectation =
  | { identities: ExpectedIdentity[]; certificates?: number; unsupported?: number }
  | { code: MtlsErrorCode; message?: RegExp };

/** A file as a program wrote it, or as something made of it. */
export interface ProducedFile {
  producer: string;
  name: string;
  bytes: Uint8Array;
  password: string;
  /** Of the keys, where they have another one. */
  keyPassword?: string;
  expected: Expectation;
  /** One of those that every browser engine opens too. */
  core?: boolean;
}
