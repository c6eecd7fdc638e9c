// The numbers of the C ABI. Their twins are in wasm/abi/src and wasm/engine/src.

export const ABI_VERSION = 1;

/** What the engine emits during a call. */
export const Emission = {
  failure: 1,
  ciphertext: 2,
  handshake: 4,
  recordContent: 5,
  keys: 6,
  httpConnection: 16,
  httpBytes: 17,
  httpBodyWanted: 18,
  httpBodyStopped: 19,
  httpHead: 20,
  httpDataOf: 21,
  httpEnd: 22,
  httpFailed: 23,
  derivedKey: 32,
  decrypted: 33,
  certificate: 34,
  name: 35,
  evaluation: 36,
} as const;

/** What the engine asks during a call. */
export const Question = {
  clientCertificate: 1,
  signature: 2,
  serverTrust: 3,
  /** Answered by the instance itself: `Outcomes`. */
  memory: 4,
  handshakeSignature: 5,
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
  certificatePurpose: 9,
  certificatePin: 10,
  revocationUnknown: 11,
  certificateMalformed: 12,
  /** Not the engine's: found by the host's record layer. */
  renegotiation: 13,
  handshakeSignature: 14,
} as const;

export const HttpFailureKind = {
  protocol: 1,
  incomplete: 2,
  closed: 3,
  unprocessed: 4,
  tooLarge: 5,
  bodyAborted: 6,
  transport: 7,
  reset: 8,
  misuse: 9,
  silent: 10,
} as const;

/** What a call returns when it failed; why is in its `failure` emission. */
export const FAILED = -1;
