import { loadEngine } from '../engine/load.js';
import type { WasmSource } from '../engine/wasm-source.js';
import { MtlsError } from '../errors.js';
import { CertificateReader, type ReadCertificate } from '../identity/certificates/certificate-reader.js';
import { ChainFinder, identityChains } from '../identity/certificates/chain.js';
import { type Container, contentOf } from '../identity/certificates/contents.js';
import { isDer, parsePemOrDer, pemBlocks } from '../identity/certificates/pem.js';
import { plainPublicKey } from '../identity/keys/public-key.js';
import type { Certificate, Identity } from '../identity/types.js';
import { equalBytes, viewOf } from '../util/bytes.js';
import { fromBase64 } from '../util/encoding.js';
import { checkOptionNames } from '../util/options.js';
import { Part } from '../util/part.js';

/**
 * With asn1js.
 *
 * @internal
 */
export const pkcs7Part = /* @__PURE__ */ new Part(() => import('./pkcs7.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'reads PKCS#7',
});

/**
 * Certificates as authorities send them, in any order: PEM with one or several blocks (text or bytes), DER, PKCS#7 with certificates only
 * (DER, PEM, or plain base64 as in EST), a `Certificate`, a `Response`, `Blob` or `File` with one of these, or a list of them.
 */
export type CertificateSource = SingleSource | readonly SingleSource[];

export type SingleSource = string | BufferSource | Certificate | Container;

export async function createReader(engine: WasmSource | undefined): Promise<CertificateReader> {
  return CertificateReader.create(await loadEngine(engine));
}

/**
 * Reads certificates in any form of `CertificateSource`, and keeps their order. Nothing is verified.
 *
 * @param options `engine`: where engine.wasm is; default: found beside the module, or as given to `configure`
 * @throws MtlsError ERR_CERT_MALFORMED when there is none, or one cannot be read; ERR_ENGINE_LOAD
 */
export async function parseCertificates(
  source: CertificateSource,
  options: { engine?: WasmSource } = {},
): Promise<Certificate[]> {
  checkOptionNames(options, { engine: true });
  const reader = await createReader(options.engine);
  return (await readAll(reader, source)).map(it => it.certificate);
}

async function readAll(reader: CertificateReader, source: CertificateSource): Promise<ReadCertificate[]> {
  const sources = Array.isArray(source) ? source : [source];
  const ders = (await Promise.all(sources.map(derOf))).flat();
  return ders.map(der => reader.read(der));
}

async function derOf(container: SingleSource): Promise<Uint8Array<ArrayBuffer>[]> {
  const { content: source, origin } = await contentOf(container, 'source');
  const bytes = viewOf(source);
  if (bytes && isDer(bytes)) return unpack(bytes);
  const text = bytes ? new TextDecoder().decode(bytes) : source;
  if (typeof text !== 'string') return parsePemOrDer(text, origin);
  const blocks = pemBlocks(text, ['PKCS7', 'CMS']);
  // Base64 alone begins with "MI": a SEQUENCE of more than 127 bytes.
  if (/^\s*MI[\w+/=\s]*$/.test(text)) blocks.push(text);
  if (blocks.length === 0) return parsePemOrDer(text, origin);
  return (await Promise.all(blocks.map(unpackBase64))).flat();
}

const OBJECT_IDENTIFIER = 0x06;

async function unpackBase64(text: string): Promise<Uint8Array<ArrayBuffer>[]> {
  const bytes = fromBase64(text);
  if (!bytes) throw new MtlsError('ERR_CERT_MALFORMED', 'The certificates are not base64.');
  return unpack(bytes);
}

/** A certificate begins with a SEQUENCE, a PKCS#7 with the object identifier of its content. */
async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>[]> {
  const first = bytes[1] ?? 0;
  const header = first > 0x80 ? 2 + (first & 0x7f) : 2;
  if (bytes[header] !== OBJECT_IDENTIFIER) return [bytes.slice()];
  const { certificatesOfPkcs7 } = await pkcs7Part.load();
  return certificatesOfPkcs7(bytes);
}

/**
 * The certificate that an authority issued for a public key, with its chains, judged as those of a file are.
 *
 * @param publicKey SubjectPublicKeyInfo, DER
 * @throws MtlsError ERR_ENROLL_CERTIFICATE when none of the certificates is for this key, or one cannot be read
 */
export async function issuedChain(
  reader: CertificateReader,
  source: CertificateSource,
  publicKey: Uint8Array<ArrayBuffer>,
): Promise<Omit<Identity, 'keys'>> {
  const pool = await readAnswer(reader, source);
  // The authority may have written the key in another way.
  const plainKey = plainPublicKey(publicKey);
  const own = pool.filter(it => equalBytes(plainPublicKey(it.spki), plainKey));
  // Of several for the same key, which renewals make, the newest.
  own.sort((a, b) => b.certificate.notBefore.getTime() - a.certificate.notBefore.getTime());
  const [leaf] = own;
  if (!leaf) {
    const names = pool.map(it => it.certificate.subject || it.certificate.serialNumber).join('; ');
    const message = `The authority sent no certificate for this key, but one for another: ${names}`;
    throw new MtlsError('ERR_ENROLL_CERTIFICATE', message);
  }
  return { certificate: leaf.certificate, ...(await identityChains(leaf, new ChainFinder(pool))) };
}

async function readAnswer(reader: CertificateReader, source: CertificateSource): Promise<ReadCertificate[]> {
  let read: ReadCertificate[];
  try {
    read = await readAll(reader, source);
  } catch (cause) {
    if (!(cause instanceof MtlsError) || cause.code !== 'ERR_CERT_MALFORMED') throw cause;
    const message = `The authority sent something else than a certificate. ${cause.message}`;
    throw new MtlsError('ERR_ENROLL_CERTIFICATE', message, { cause });
  }
  if (read.length === 0) throw new MtlsError('ERR_ENROLL_CERTIFICATE', 'The authority sent no certificate.');
  const byFingerprint = new Map(read.map(it => [it.certificate.fingerprint, it]));
  return [...byFingerprint.values()];
}
