// The numbers of the C ABI. Their twins are in wasm/abi/src and wasm/engine/src.

export const ABI_VERSION = 1;

/** What the engine emits during a call. */
export const Emission = {
  failure: 1,
  ciphertext: 2,
  plaintext: 3,
  handshake: 4,
  peerClosed: 5,
  derivedKey: 32,
  decrypted: 33,
  certificate: 34,
} as const;

/** What the engine asks during a call. */
export const Question = {
  clientCertificate: 1,
  signature: 2,
  serverTrust: 3,
} as const;

export const FailureKind = {
  protocol: 1,
  alert: 2,
  certificateName: 3,
  certificateExpired: 4,
  certificateNotYetValid: 5,
  certificateUntrusted: 6,
  certificateRevoked: 7,
  misuse: 8,
} as const;

/** What a call returns when it failed; why is in its `failure` emission. */
export const FAILED = -1;
