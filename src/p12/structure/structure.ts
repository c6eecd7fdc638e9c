// The outer structure of a file (RFC 7292, section 4): nothing here needs the password.
import * as pkijs from 'pkijs';
import { MtlsError } from '../../errors.js';
import { algorithm, algorithmOf } from '../algorithms/algorithm.js';
import { type Encryption, encryptionOf } from '../algorithms/encryption.js';
import { atLeastOne, saltOf } from '../algorithms/key-derivation.js';
import { type MacScheme, macScheme } from '../algorithms/mac-scheme.js';
import {
  count,
  guarded,
  type Node,
  octetString,
  octets,
  type ParsingBudget,
  parse,
  sequence,
} from '../asn1/asn1.js';
import { type Element, elementsOf, firstElement, Tag } from '../asn1/ber-scan.js';
import { damaged, malformed, unsupported } from '../errors.js';

export interface Encrypted {
  encryption: Encryption;
  ciphertext: Uint8Array<ArrayBuffer>;
}

export interface Mac {
  scheme: MacScheme;
  /** Of a `pkcs12` scheme; PBMAC1 has its own. */
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
  digest: Uint8Array<ArrayBuffer>;
}

export interface Pfx {
  mac: Mac | undefined;
  /** What the MAC covers. */
  authenticated: Uint8Array<ArrayBuffer>;
  /** The parts, for `readContent`. */
  contents: Element[];
}

/** A SafeContents, in clear or not, or why it cannot be read. */
export type Content = Uint8Array<ArrayBuffer> | Encrypted | MtlsError;

const DATA = '1.2.840.113549.1.7.1';
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const ENVELOPED_DATA = '1.2.840.113549.1.7.3';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';

const PFX_VERSION = 3;

export function parsePfx(file: Uint8Array<ArrayBuffer>): Pfx {
  const [version, authSafe, macData] = sequence(parse(firstElement(file)));
  if (count(version) !== PFX_VERSION) throw malformed('This is not a PKCS#12 file of version 3.');
  const { type, content } = contentInfo(authSafe);
  if (type === SIGNED_DATA) throw unsupported('public-key integrity mode (a signature in place of a MAC)');
  if (type !== DATA) throw damaged('its content is of no type that PKCS#12 knows');
  const authenticated = octetString(content);
  return {
    mac: macData && parseMac(macData),
    authenticated,
    contents: elementsOf(firstElement(authenticated), Tag.sequence),
  };
}

/** One that cannot be read stands in the way of no other. */
export function readContent(element: Element, budget: ParsingBudget): Content {
  try {
    return parseContent(parse(element, budget));
  } catch (error) {
    if (error instanceof MtlsError) return error;
    throw error;
  }
}

function parseContent(node: Node): Uint8Array<ArrayBuffer> | Encrypted {
  const { type, content } = contentInfo(node);
  if (type === DATA) return octetString(content);
  if (type === ENVELOPED_DATA)
    throw unsupported('public-key privacy mode (content encrypted to a certificate)');
  if (type !== ENCRYPTED_DATA) throw unsupported(`content of the type ${type}`);
  return encryptedData(content);
}

/** EncryptedData (RFC 5652, section 8). */
function encryptedData(node: Node): Encrypted {
  return guarded(() => {
    const { encryptedContentInfo } = new pkijs.EncryptedData({ schema: node });
    const { contentEncryptionAlgorithm, encryptedContent } = encryptedContentInfo;
    return {
      encryption: encryptionOf(algorithmOf(contentEncryptionAlgorithm)),
      ciphertext: octets(encryptedContent as Node | undefined),
    };
  });
}

function contentInfo(node: Node | undefined): { type: string; content: Node } {
  return guarded(() => {
    const { contentType, content } = new pkijs.ContentInfo({ schema: node });
    return { type: contentType, content: content as Node };
  });
}

/** MacData (RFC 7292, appendix A). Not by PKI.js, which reads large iteration counts as 0. */
function parseMac(node: Node): Mac {
  const [digestInfo, salt, iterations] = sequence(node);
  const [digestAlgorithm, digest] = sequence(digestInfo);
  const scheme = macScheme(algorithm(digestAlgorithm));
  const times = iterations ? count(iterations) : 1;
  return {
    scheme,
    digest: octetString(digest),
    salt: saltOf(salt),
    // PBMAC1 has a count of its own, and writers put anything here.
    iterations: scheme.kind === 'pbmac1' ? times : atLeastOne(times),
  };
}
