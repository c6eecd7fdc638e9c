/** @module index */

export type {
  Challenge,
  ChallengeHandler,
  ClientCertificateChallenge,
  Disposition,
  IdentityCredential,
  Persistence,
  RememberedAnswer,
  ServerTrustChallenge,
  TrustCredential,
  UnfitIdentity,
} from './authentication/challenge.js';
export type { ClientOptions } from './client/client-options.js';
export { createClient } from './client/create-client.js';
export type { ConnectionInfo, MtlsClient, PreconnectOptions } from './client/mtls-client.js';
export type { Socket, SocketInfo, SocketOptions } from './client/socket.js';
export type { DiagnosticsOptions } from './diagnostics/diagnostics.js';
export type {
  ChallengeEvent,
  ConnectionEvent,
  DiagnosticEvent,
  HandshakeEvent,
  RequestEndEvent,
  RequestEvent,
  ResponseEvent,
  RetryEvent,
} from './diagnostics/events.js';
export type { AssetSource } from './engine/asset.js';
export { type AssetSources, configure } from './engine/configure.js';
export type { WasmSource } from './engine/wasm-source.js';
export { type CertificateAuthority, type EnrollOptions, enroll } from './enroll/authority.js';
export { type CertificateSource, parseCertificates } from './enroll/certificates.js';
export { type CreateIdentityOptions, createIdentity, pendingEnrolments } from './enroll/create-identity.js';
export type { Enrolment } from './enroll/enrolment.js';
export type { Refusal } from './enroll/http.js';
export { type ImportFromOptions, importFrom, type PasswordQuestion } from './enroll/import-from.js';
export type { KeyAlgorithmName } from './enroll/key-pair.js';
export { type RenewOptions, renew } from './enroll/renew.js';
export { type StepCa, type StepCaOptions, stepCa } from './enroll/step-ca.js';
export type { Subject, SubjectAttribute } from './enroll/subject.js';
export { MtlsError, type MtlsErrorCode, mtlsErrorOf } from './errors.js';
export type { MtlsFetch } from './fetch/fetch.js';
export type { MtlsRequestClass } from './fetch/request/client-request.js';
export type { MtlsRequestInit } from './fetch/request-init.js';
export type { BodyProgress } from './http/body/progress.js';
export type { ClientCookies, CookieOptions, VisibleCookie } from './http/cookies/cookies.js';
export type { PoolOptions } from './http/pool/pool-options.js';
export type {
  Certificate,
  Identity,
  IdentityControls,
  ListedIdentity,
  StoredIdentity,
  TrustResult,
} from './identity/types.js';
export {
  type ImportProgress,
  inspectPkcs12,
  type OpenPkcs12Options,
  openPkcs12,
  type Pkcs12Limits,
} from './p12/open-pkcs12.js';
export type { Pkcs12, Pkcs12Inspection, UnsupportedKey } from './p12/pkcs12.js';
export { IdentityStore, type StoreOptions } from './store/identity-store.js';
export type { IdentityQuery } from './store/query.js';
export type { JournalEntry } from './store/records/journal.js';
export type { UnreadableIdentity } from './store/records/records.js';
export type { ChangeListener } from './store/tabs/changes.js';
export type { IdentityChange } from './store/tabs/identity-change.js';
export {
  type PassphraseOptions,
  type PassphraseQuestion,
  passphraseVerification,
} from './store/verification/passphrase-verification.js';
export type { UserVerification, VerificationSubject } from './store/verification/user-verification.js';
export { type WebAuthnOptions, webAuthnVerification } from './store/verification/webauthn-verification.js';
export { type EvaluateTrustOptions, evaluateTrust } from './trust/evaluate-trust.js';
export type {
  Anchor,
  RevocationList,
  TrustAnswer,
  TrustOptions,
  TrustQuestion,
  TrustSources,
} from './trust/options.js';
export type { HostPins, PinsByHost } from './trust/pins.js';
export type { Tunnel, TunnelStream } from './tunnel/tunnel.js';
export {
  createWebSocketTunnel,
  type WebSocketTunnel,
  type WebSocketTunnelOptions,
} from './tunnel/websocket-tunnel.js';
export type { HostPort } from './util/host-port.js';
export { WebSocketErrorEvent } from './websocket/events.js';
export type { WebSocketOptions } from './websocket/web-socket.js';
