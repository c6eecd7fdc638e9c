// The numbers of the C ABI. Their twins are in wasm/abi/src and wasm/engine/src.

import { MtlsError } from '../errors.js';

export const ABI_VERSION = 3;

/** What the engine emits during a call. */
export const Emission = {
  failure: 1,
  ciphertext: 2,
  handshake: 4,
  recordContent: 5,
  keys: 6,
  recordsOpened: 7,
  keyLog: 8,
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
export type Emission = (typeof Emission)[keyof typeof Emission];

/** What the engine asks during a call. */
export const Question = {
  clientCertificate: 1,
  signature: 2,
  serverTrust: 3,
  /** Answered by the instance itself: `Outcomes`. */
  memory: 4,
  handshakeSignature: 5,
} as const;
export type Question = (typeof Question)[keyof typeof Question];
/** Those that are not answered by the instance itself. */
export type HostQuestion = Exclude<Question, typeof Question.memory>;

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
export type FailureKind = (typeof FailureKind)[keyof typeof FailureKind];
/** Why a chain is not trusted. */
export type CertificateFailureKind = Exclude<
  FailureKind,
  (typeof FailureKind)['protocol' | 'alert' | 'misuse' | 'renegotiation' | 'handshakeSignature']
>;

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
export type HttpFailureKind = (typeof HttpFailureKind)[keyof typeof HttpFailureKind];

/** What was wrong with the frames of an h2 server. */
export const HttpFault = {
  none: 0,
  upperCaseName: 1,
  invalidName: 2,
  emptyName: 3,
  invalidValue: 4,
  unknownPseudo: 5,
  latePseudo: 6,
  repeatedPseudo: 7,
  noStatus: 8,
  invalidStatus: 9,
  connectionField: 10,
  invalidLength: 11,
  otherLength: 12,
  trailersWithPseudo: 13,
  trailersGoOn: 14,
  informationalEnd: 15,
  dataBeforeHead: 16,
  compression: 17,
  frameTooLarge: 18,
  frameLength: 19,
  frameOnStream: 20,
  padding: 21,
  headInterrupted: 22,
  push: 23,
  unopenedStream: 24,
  settingValue: 25,
  acknowledgement: 26,
  emptyGrowth: 27,
  windowOverflow: 28,
  beyondWindow: 29,
  selfDependency: 30,
  laterFarewell: 31,
  tinyPieces: 32,
  tooManyFaults: 33,
  /** None that is known. */
  other: 34,
  /** None: the server has given up the request, or the connection. */
  givenUp: 37,
} as const;
export type HttpFault = (typeof HttpFault)[keyof typeof HttpFault];

/** What a call returns when it failed; why is in its `failure` emission. */
export const FAILED = -1;

export const readEmission = /* @__PURE__ */ reader(Emission);
export const readQuestion = /* @__PURE__ */ reader(Question);
export const readFailureKind = /* @__PURE__ */ reader(FailureKind);
export const readHttpFailureKind = /* @__PURE__ */ reader(HttpFailureKind);
export const readHttpFault = /* @__PURE__ */ reader(HttpFault);

/** Makes a function that throws ERR_ENGINE_FAILED for any other number. */
function reader<K extends number>(known: Record<string, K>): (number: number) => K {
  const kinds = new Map<number, K>(Object.values(known).map(kind => [kind, kind]));
  return number => {
    const kind = kinds.get(number);
    if (kind === undefined) throw unknownNumber(number);
    return kind;
  };
}

/** The error for a number that only another version of the engine has. */
export function unknownNumber(number: number): MtlsError {
  return new MtlsError(
    'ERR_ENGINE_FAILED',
    `The engine used the number ${number}, which this library does not know: serve the engine.wasm of the same package version.`,
  );
}
