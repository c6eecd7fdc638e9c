import type { MtlsErrorCode } from '../errors.js';
import { type CertificateFailureKind, Emission, FailureKind, readFailureKind, unknownNumber } from './abi.js';
import type { Instance } from './instance.js';
import { WireReader, WireWriter } from './wire.js';

/** Whom to trust, all DER. */
export interface TrustMaterial {
  /** Certificates that may end a chain. */
  anchors: readonly Uint8Array[];
  /** Certificate revocation lists. */
  crls?: readonly Uint8Array[];
  /** Certificates of public authorities that may end a chain: such a chain is held to more. */
  publicAnchors?: readonly Uint8Array[];
}

/** The keys that a server must have. */
export interface KeyPins {
  /** SHA-256 of SubjectPublicKeyInfo, 32 bytes each; none: any key will do. */
  sha256: readonly Uint8Array[];
  /** Whether the server's own key decides alone, without anchors, names and dates. */
  replacesAnchors: boolean;
}

/** What is asked of a chain. */
export interface TrustDemand {
  /** Undefined: names are not looked at. */
  hostname: string | undefined;
  at: Date;
  purpose: 'server' | 'client';
  /** An OCSP response, DER. */
  ocsp: Uint8Array | undefined;
  pins: KeyPins | undefined;
  /** Of authorities between the certificate in question and the anchor, at most 254; undefined: no limit. */
  maxIntermediates: number | undefined;
}

/** What the engine found. */
export interface TrustFinding {
  /** Undefined: trusted. */
  kind: CertificateFailureKind | undefined;
  /** A clause that says what is wrong. */
  message: string;
  /** DER, from the certificate in question to the anchor; empty when there is no path. */
  path: Uint8Array<ArrayBuffer>[];
}

/** The codes that a certificate is refused with. */
export type CertificateFailureCode = Extract<
  MtlsErrorCode,
  `ERR_TLS_CERT_${string}` | 'ERR_TLS_PIN' | 'ERR_CERT_MALFORMED'
>;

export const certificateFailureCodes: Record<CertificateFailureKind, CertificateFailureCode> = {
  [FailureKind.certificateName]: 'ERR_TLS_CERT_NAME',
  [FailureKind.certificateExpired]: 'ERR_TLS_CERT_EXPIRED',
  [FailureKind.certificateNotYetValid]: 'ERR_TLS_CERT_NOT_YET_VALID',
  [FailureKind.certificateUntrusted]: 'ERR_TLS_CERT_UNTRUSTED',
  [FailureKind.certificateRevoked]: 'ERR_TLS_CERT_REVOKED',
  [FailureKind.certificatePurpose]: 'ERR_TLS_CERT_PURPOSE',
  [FailureKind.certificatePin]: 'ERR_TLS_PIN',
  [FailureKind.revocationUnknown]: 'ERR_TLS_CERT_REVOCATION_UNKNOWN',
  [FailureKind.certificateMalformed]: 'ERR_CERT_MALFORMED',
};

const TRUSTED = 0;

/** Reads why a chain is not trusted; undefined: it is. @throws MtlsError ERR_ENGINE_FAILED */
export function readCertificateFailure(reader: WireReader): CertificateFailureKind | undefined {
  const number = reader.u8();
  if (number === TRUSTED) return undefined;
  const kind = readFailureKind(number);
  if (!isCertificateFailure(kind)) throw unknownNumber(number);
  return kind;
}

export function isCertificateFailure(kind: FailureKind): kind is CertificateFailureKind {
  return Object.hasOwn(certificateFailureCodes, kind);
}

/** As `PolicySettings` of wasm/engine/src/trust/policy.rs reads it. */
export function encodeMaterial({ anchors, crls = [], publicAnchors = [] }: TrustMaterial): Uint8Array {
  return new WireWriter().list(anchors).list(crls).list(publicAnchors).finish();
}

/** As `Pins` of wasm/engine/src/trust/pins.rs reads them. */
export function encodePins(pins: KeyPins | undefined): Uint8Array {
  return new WireWriter()
    .u8(pins?.replacesAnchors ? 1 : 0)
    .list(pins?.sha256 ?? [])
    .finish();
}

const nothing = new Uint8Array();
const UNLIMITED = 255;
const purposes = { server: 0, client: 1 } as const;

/** Runs an evaluation: the certificate in question first in `chain`, others behind it in any order. */
export function evaluateChain(
  instance: Instance,
  chain: readonly Uint8Array[],
  { material, demand }: { material: TrustMaterial; demand: TrustDemand },
): TrustFinding {
  const seconds = Math.max(0, Math.floor(demand.at.getTime() / 1000));
  const encodedDemand = new WireWriter()
    .str(demand.hostname ?? '')
    .u32(seconds % 2 ** 32)
    .u32(Math.floor(seconds / 2 ** 32))
    .u8(purposes[demand.purpose])
    .bytes(demand.ocsp ?? nothing)
    .bytes(encodePins(demand.pins))
    .u8(demand.maxIntermediates ?? UNLIMITED)
    .finish();
  const input = new WireWriter().bytes(encodeMaterial(material)).list(chain).bytes(encodedDemand).finish();
  const { emitted } = instance.call('trust_evaluate', [input]);
  const evaluation = emitted.find(it => it.kind === Emission.evaluation);
  if (!evaluation) throw new TypeError('"hostname" must be a DNS name or an IP address');
  const reader = new WireReader(evaluation.bytes);
  return { kind: readCertificateFailure(reader), message: reader.str(), path: reader.list() };
}
