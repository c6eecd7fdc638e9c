import { Emission } from '../engine/abi.js';
import type { Instance } from '../engine/instance.js';
import { WireReader } from '../engine/wire.js';
import { MtlsError } from '../errors.js';
import { fromBase64, toBase64, toHex } from '../util/encoding.js';
import { comparableName } from './distinguished-names.js';
import type { Certificate } from './types.js';

/** A certificate with the parts of it that matching and verifying need. */
export interface ReadCertificate {
  certificate: Certificate;
  /** Whether basicConstraints name it a certificate authority. */
  authority: boolean;
  /** The bits of keyUsage (RFC 5280, section 4.2.1.3), bit n of the extension at bit n; absent without the extension. */
  keyUsage?: number;
  /** The purposes of extKeyUsage, object identifiers; absent without the extension. */
  extendedKeyUsage?: string[];
  /** SubjectPublicKeyInfo, DER. */
  spki: Uint8Array<ArrayBuffer>;
  /** DER. */
  subject: Uint8Array<ArrayBuffer>;
  /** In the form in which names are compared (`comparableName`). */
  subjectName: string;
  issuerName: string;
  /** What the issuer signed, DER. */
  toBeSigned: Uint8Array<ArrayBuffer>;
  /** Object identifier. */
  signatureAlgorithm: string;
  signature: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a certificate's DER (RFC 5280). Nothing is verified.
 *
 * @throws MtlsError ERR_CERT_MALFORMED
 */
export function readCertificate(instance: Instance, der: Uint8Array): ReadCertificate {
  const { emitted } = instance.call('x509_describe', [der]);
  const description = emitted.find(it => it.kind === Emission.certificate);
  if (!description) throw new MtlsError('ERR_CERT_MALFORMED', 'This is not an X.509 certificate.');
  const reader = new WireReader(description.bytes);
  // In the order of wasm/engine/src/pki/certificate.rs.
  const certificate: Certificate = {
    der: der.slice(),
    pem: toPem(der),
    subject: reader.str(),
    issuer: reader.str(),
    serialNumber: reader.str(),
    notBefore: readTime(reader.str()) ?? LAST_TIME,
    notAfter: readTime(reader.str()) ?? FIRST_TIME,
    subjectAltNames: reader.list().map(name => new TextDecoder().decode(name)),
    fingerprint: toHex(reader.bytes()),
    spkiPin: toBase64(reader.bytes()),
    keyAlgorithm: reader.str(),
  };
  const authority = reader.u8() === 1;
  const [limitsUsage, keyUsage] = [reader.u8() === 1, reader.u16()];
  const [limitsPurpose, purposes] = [reader.u8() === 1, reader.list()];
  const [spki, subject, issuer] = [reader.bytes(), reader.bytes(), reader.bytes()];
  return {
    certificate,
    authority,
    ...(limitsUsage && { keyUsage }),
    ...(limitsPurpose && { extendedKeyUsage: purposes.map(oid => new TextDecoder().decode(oid)) }),
    spki,
    subject,
    subjectName: comparableName(subject),
    issuerName: comparableName(issuer),
    toBeSigned: reader.bytes(),
    signatureAlgorithm: reader.str(),
    signature: reader.bytes(),
  };
}

/** The same, without the inner parts. */
export function describeCertificate(instance: Instance, der: Uint8Array): Certificate {
  return readCertificate(instance, der).certificate;
}

/**
 * A server's certificates, its own first. Others that cannot be read lead nowhere in verification, and are left out here.
 *
 * @throws MtlsError ERR_CERT_MALFORMED for the server's own
 */
export function describeChain(instance: Instance, ders: readonly Uint8Array[]): Certificate[] {
  const [own, ...others] = ders;
  if (!own) return [];
  return [describeCertificate(instance, own), ...readReadable(instance, others).map(it => it.certificate)];
}

/** What can be read of certificates; the others are left out. */
export function readReadable(instance: Instance, ders: readonly Uint8Array[]): ReadCertificate[] {
  return ders.flatMap(der => {
    try {
      return [readCertificate(instance, der)];
    } catch (error) {
      if (error instanceof MtlsError && error.code === 'ERR_CERT_MALFORMED') return [];
      throw error;
    }
  });
}

/** A DER-encoded distinguished name in the form of RFC 4514, or its bytes in hex if it is malformed. */
export function describeName(instance: Instance, der: Uint8Array): string {
  const { emitted } = instance.call('x509_name', [der]);
  const name = emitted.find(it => it.kind === Emission.name);
  return name ? new TextDecoder().decode(name.bytes) : toHex(der);
}

/**
 * The DER of each certificate in a PEM text (one or several, with other text or other blocks between them), in DER
 * bytes (one), or in a `Certificate`.
 *
 * @throws MtlsError ERR_CERT_MALFORMED when there is none, or a block is not base64
 */
export function parsePemOrDer(source: string | BufferSource | Certificate): Uint8Array<ArrayBuffer>[] {
  if (typeof source === 'string') return parsePem(source);
  if (source instanceof ArrayBuffer) return parseBytes(new Uint8Array(source));
  if (ArrayBuffer.isView(source))
    return parseBytes(new Uint8Array(source.buffer, source.byteOffset, source.byteLength));
  if (source?.der instanceof Uint8Array) return [source.der.slice()];
  throw new TypeError('a certificate is a PEM string, DER bytes or a Certificate');
}

const DER_SEQUENCE = 0x30;

function parseBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  // "0" is the same octet, but no PEM text of certificates begins with it.
  if (bytes[0] === DER_SEQUENCE) return [bytes.slice()];
  return parsePem(new TextDecoder().decode(bytes));
}

function parsePem(text: string): Uint8Array<ArrayBuffer>[] {
  const blocks = text.matchAll(
    /-----BEGIN (?:X509 )?CERTIFICATE-----([^-]*)-----END (?:X509 )?CERTIFICATE-----/g,
  );
  const found = Array.from(blocks, ([, body = '']) => fromBase64(body));
  if (found.length === 0)
    throw new MtlsError(
      'ERR_CERT_MALFORMED',
      'There is no certificate in this text: a PEM block is missing.',
    );
  return found.map(der => {
    if (!der) throw new MtlsError('ERR_CERT_MALFORMED', 'A PEM block is not base64.');
    return der;
  });
}

function toPem(der: Uint8Array): string {
  const lines = toBase64(der).replace(/.{64}(?!$)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

/** What a Date can hold: a certificate with a time that cannot be read is valid at none. */
const FIRST_TIME = new Date(-8.64e15);
const LAST_TIME = new Date(8.64e15);

/** Whether a certificate has times that can be read. */
export function hasTimes({ notBefore, notAfter }: Certificate): boolean {
  return notBefore < LAST_TIME && notAfter > FIRST_TIME;
}

/** From YYYYMMDDHHMMSSZ; undefined when it is no time. */
function readTime(text: string): Date | undefined {
  const time = new Date(
    text.replace(/^(....)(..)(..)(..)(..)(..)Z$/, (_, year, month, day, hour, minute, second) => {
      // A leap second is not a time to JavaScript.
      const shown = second === '60' ? '59' : second;
      return `${year}-${month}-${day}T${hour}:${minute}:${shown}Z`;
    }),
  );
  return Number.isNaN(time.getTime()) ? undefined : time;
}
