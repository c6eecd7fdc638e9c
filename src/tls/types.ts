import type { ClientCredential } from '../engine/credential.js';
import type { KeyPins, TrustMaterial } from '../engine/trust.js';
import type { Environment } from '../engine/wasi.js';
import type { MtlsError } from '../errors.js';

/** A version of TLS that this library speaks. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** TLS SignatureScheme code points (RFC 8446 section 4.2.3). */
export type SignatureScheme = number;

/** What a server says when it asks for a client certificate. */
export interface CertificateRequest {
  /** In TLS 1.2 a scheme with ECDSA fixes the hash and leaves the curve open. */
  version: TlsVersion;
  /** DER-encoded distinguished names; empty: the server names none. */
  acceptableIssuers: Uint8Array[];
  schemes: SignatureScheme[];
}

/** A server's signature over its handshake. */
export interface HandshakeSignature {
  version: TlsVersion;
  scheme: SignatureScheme;
  /** The server's SubjectPublicKeyInfo, DER. */
  spki: Uint8Array<ArrayBuffer>;
  message: Uint8Array<ArrayBuffer>;
  /** ECDSA in DER. */
  signature: Uint8Array<ArrayBuffer>;
}

/** What verification found about a server, before the host has its say. */
export interface ServerTrustQuestion {
  /** DER, as the server sent them, its own certificate first. */
  chain: Uint8Array[];
  /** DER, the path that was found, the anchor last; empty when there is none. */
  path: Uint8Array[];
  /** Undefined when the chain is trusted. */
  error: MtlsError | undefined;
}

/** Whom to trust, and how to connect. */
export interface TlsSettings extends TrustMaterial {
  /** Default: both. */
  versions?: readonly TlsVersion[];
  /** Whether X25519MLKEM768 is offered. Default: true. */
  postQuantum?: boolean;
  /** Whether `TlsConnectOptions.evaluateServer` is asked about every server. Default: false. */
  evaluateServers?: boolean;
  /** Takes each line of a key log. Default: there is none. */
  dangerouslyLogKeys?: ((line: string) => void) | undefined;
  /** Where randomness and time come from. Default: the platform. */
  environment?: Environment;
}

export interface TlsConnectOptions {
  /** The name that the server's certificate must have; sent as SNI unless it is an IP address. */
  hostname: string;
  /** Sessions are resumed within a partition only. */
  partition: string;
  /** Protocol names in order of preference (RFC 7301). Default: none. */
  alpn?: readonly string[];
  /** The keys that the server must have. Default: any. */
  pins?: KeyPins | undefined;
  /** Called when the server asks for a certificate; undefined: none is sent. A rejection fails the connection. */
  authenticate(request: CertificateRequest): Promise<ClientCredential | undefined>;
  /** Whether to trust the server in spite of, or because of, what verification found. A rejection fails the connection. */
  evaluateServer?(question: ServerTrustQuestion): Promise<'as-verified' | 'trust'>;
  /**
   * Whether the key made the signature, where the engine cannot tell and the key is trusted for itself (pinned in place of anchors, or
   * by `evaluateServer`). Undefined: that cannot be told here either.
   */
  verifySignature?(signed: HandshakeSignature): Promise<boolean | undefined>;
  /** Why `authenticate` sent no certificate, for the message of an error. */
  absence?(): string | undefined;
  /** Called when the server refuses the client's certificate, or misses one: ERR_TLS_CLIENT_CERT_…. */
  onRefused?(): void;
  /** The server never says nothing: when it ends the connection without any data, it most likely refuses the client. Default: false. */
  expectsData?: boolean | undefined;
  signal?: AbortSignal;
}

/** The results of a TLS handshake. */
export interface TlsInfo {
  version: TlsVersion;
  /** The registered name of the cipher suite, e.g. `TLS_AES_128_GCM_SHA256`. */
  cipherSuite: string;
  /** The registered name of the key exchange's group, e.g. `X25519MLKEM768`, which is post-quantum. */
  keyExchange: string;
  /** The protocol that ALPN chose. Empty: none. */
  alpn: string;
  /** Whether the handshake resumed an earlier session. */
  resumed: boolean;
  /** DER, the server's own certificate first. */
  serverChain: Uint8Array[];
  /** Whether the server asked for a client certificate. */
  clientCertificateRequested: boolean;
  /** Whether the client sent a certificate. */
  clientCertificateSent: boolean;
}
