// Certification requests: PKCS#10 (RFC 2986), with the extensions asked for (RFC 2985, section 5.4.2).
import { toPem } from '../identity/certificates/pem.js';
import { encodeAltNames } from './alt-names.js';
import { bitString, type Der, element, objectIdentifier, sequence, setOf, Tag } from './der.js';
import type { KeyPair } from './key-pair.js';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';

/** A request for a certificate of this key and this subject (a Name, DER), signed by the key. */
export async function makeRequest(
  pair: KeyPair,
  { subject, subjectAltNames }: { subject: Der; subjectAltNames: readonly string[] },
): Promise<Der> {
  const version = element(Tag.integer, Uint8Array.of(0));
  const attributes = element(0xa0, ...extensionRequest(subject, subjectAltNames));
  const info = sequence(version, subject, pair.publicKey, attributes);
  return sequence(info, pair.signatureAlgorithm, bitString(await pair.sign(info)));
}

function extensionRequest(subject: Der, names: readonly string[]): Der[] {
  if (names.length === 0) return [];
  // Critical when there is nothing else to tell whose it is (RFC 5280, section 4.2.1.6): an empty Name is two bytes.
  const critical = subject.length === 2 ? [element(Tag.boolean, Uint8Array.of(0xff))] : [];
  const extension = sequence(
    objectIdentifier(SUBJECT_ALT_NAME),
    ...critical,
    element(Tag.octetString, encodeAltNames(names)),
  );
  return [sequence(objectIdentifier(EXTENSION_REQUEST), setOf([sequence(extension)]))];
}

/** A request's PEM block, with a final newline (RFC 7468, section 7). */
export function requestToPem(request: Uint8Array): string {
  return toPem('CERTIFICATE REQUEST', request);
}
