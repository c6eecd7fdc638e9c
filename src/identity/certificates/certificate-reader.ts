import { Emission } from '../../engine/abi.js';
import { Instance } from '../../engine/instance.js';
import { WireReader } from '../../engine/wire.js';
import { MtlsError } from '../../errors.js';
import { toBase64, toHex } from '../../util/encoding.js';
import type { Certificate } from '../types.js';
import { comparableName } from './distinguished-names.js';
import { toPem } from './pem.js';

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

/** Reads certificates and names by the engine. Nothing is verified. */
export class CertificateReader {
  #instance: Instance;

  static async create(module: WebAssembly.Module): Promise<CertificateReader> {
    return new CertificateReader(await Instance.create(module));
  }

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /**
   * Reads a certificate's DER (RFC 5280).
   *
   * @throws MtlsError ERR_CERT_MALFORMED
   */
  read(der: Uint8Array): ReadCertificate {
    const { emitted } = this.#instance.call('x509_describe', [der]);
    const description = emitted.find(it => it.kind === Emission.certificate);
    if (!description) throw new MtlsError('ERR_CERT_MALFORMED', 'This is not an X.509 certificate.');
    const reader = new WireReader(description.bytes);
    // In the order of wasm/engine/src/pki/certificate.rs.
    const certificate: Certificate = {
      der: der.slice(),
      pem: toPem('CERTIFICATE', der),
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

  /** Reads those certificates that can be read; leaves out the others. */
  readAll(ders: readonly Uint8Array[]): ReadCertificate[] {
    return ders.flatMap(der => {
      try {
        return [this.read(der)];
      } catch (error) {
        if (error instanceof MtlsError && error.code === 'ERR_CERT_MALFORMED') return [];
        throw error;
      }
    });
  }

  /**
   * As `read`, without the inner parts.
   *
   * @throws MtlsError ERR_CERT_MALFORMED
   */
  describe(der: Uint8Array): Certificate {
    return this.read(der).certificate;
  }

  /**
   * Describes a server's certificates, its own first. Others that cannot be read lead nowhere in verification, and are left out.
   *
   * @throws MtlsError ERR_CERT_MALFORMED for the server's own
   */
  describeChain(ders: readonly Uint8Array[]): Certificate[] {
    const [own, ...others] = ders;
    if (!own) return [];
    return [this.describe(own), ...this.readAll(others).map(it => it.certificate)];
  }

  /** A DER-encoded distinguished name in the form of RFC 4514, or its bytes in hex if it is malformed. */
  describeName(der: Uint8Array): string {
    const { emitted } = this.#instance.call('x509_name', [der]);
    const name = emitted.find(it => it.kind === Emission.name);
    return name ? new TextDecoder().decode(name.bytes) : toHex(der);
  }
}

/** What a Date can hold: a certificate with a time that cannot be read is valid at none. */
const FIRST_TIME = new Date(-8.64e15);
const LAST_TIME = new Date(8.64e15);

/** Whether a certificate has times that can be read. */
export function hasTimes({ notBefore, notAfter }: Certificate): boolean {
  return notBefore < LAST_TIME && notAfter > FIRST_TIME;
}

/** From YYYYMMDDHHMMSSZ; undefined when it is no time, or its day in no calendar. */
function readTime(text: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = /^(....)(..)(..)(..)(..)(..)Z$/.exec(text) ?? [];
  // A leap second is not a time to JavaScript.
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second === '60' ? '59' : second}`;
  const time = new Date(`${written}Z`);
  if (Number.isNaN(time.getTime())) return undefined;
  // JavaScript takes February 30 for March 1.
  return time.toISOString().startsWith(written) ? time : undefined;
}
