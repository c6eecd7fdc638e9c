// Names what people take for a PKCS#12 file by mistake.
import { textKind } from '../../util/text-kind.js';
import { objectIdentifier, parse } from '../asn1/asn1.js';
import { firstElement, inside, isContextElement, isElement, Tag } from '../asn1/ber-scan.js';

const BINARY_AS_TEXT = 'binary data that something has read or saved as text: take its bytes';

const magics: [bytes: number[], name: string][] = [
  [
    [0xfe, 0xed, 0xfe, 0xed],
    'a Java key store (JKS): convert it with `keytool -importkeystore -deststoretype pkcs12`',
  ],
  [
    [0xce, 0xce, 0xce, 0xce],
    'a Java key store (JCEKS): convert it with `keytool -importkeystore -deststoretype pkcs12`',
  ],
  [[0, 0, 0, 1], 'a Bouncy Castle key store (BKS): convert it with `keytool`'],
  [[0, 0, 0, 2], 'a Bouncy Castle key store (BKS): convert it with `keytool`'],
  [[0x50, 0x4b, 3, 4], 'a ZIP archive'],
  [[0x25, 0x50, 0x44, 0x46], 'a PDF'],
  [[0x1f, 0x8b], 'a gzip archive'],
  // SEQUENCE, and its first length octet (0x80 to 0x84) as UTF-8 or as U+FFFD.
  [[0x30, 0xef, 0xbf, 0xbd], BINARY_AS_TEXT],
  ...[0x80, 0x81, 0x82, 0x83, 0x84].map((octet): [number[], string] => [[0x30, 0xc2, octet], BINARY_AS_TEXT]),
];

/** What the file is, if it is something else that is well known; undefined when it may be PKCS#12. */
export function recogniseOther(file: Uint8Array<ArrayBuffer>): string | undefined {
  if (file.length === 0) return 'an empty file';
  const magic = magics.find(([bytes]) => bytes.every((byte, i) => file[i] === byte));
  if (magic) return magic[1];
  return file[0] === 0x30 ? recogniseDer(file) : recogniseText(file);
}

function recogniseText(file: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(file.subarray(0, 16_384)).trim();
  const kind = textKind(text);
  if (kind) return kind;
  if (/^(ssh|ecdsa)-[a-z0-9-]+ AAAA/.test(text)) return 'an OpenSSH public key';
  if (text.startsWith('PuTTY-User-Key-File-')) return 'a PuTTY key';
  if (/^MI[A-Za-z0-9+/=\s]+$/.test(text)) return 'base64 text: decode it first';
  return undefined;
}

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/** By shape: a PFX begins with INTEGER 3. */
function recogniseDer(file: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    const [first, second, third] = inside(firstElement(file));
    if (
      isElement(first, Tag.sequence) &&
      isElement(second, Tag.sequence) &&
      isElement(third, Tag.bitString)
    ) {
      const inner = inside(first);
      // A certificate has its version or its serial number first, then an algorithm; a request a name.
      const request = isElement(inner[0], Tag.integer) && isContextElement(inner[3], 0);
      return request ? 'a certificate request without a key' : 'a certificate or a CRL without a key';
    }
    if (isElement(first, Tag.sequence) && isElement(second, Tag.octetString))
      return 'an encrypted private key without a certificate';
    if (isElement(first, Tag.integer) && isElement(second, Tag.sequence) && isElement(third, Tag.octetString))
      return 'a private key without a certificate';
    // SEC 1, and PKCS#1.
    if (isElement(first, Tag.integer) && isElement(second, Tag.octetString))
      return 'a private key without a certificate';
    if (isElement(first, Tag.integer) && isElement(second, Tag.integer))
      return 'a private key without a certificate';
    if (isElement(first, Tag.objectIdentifier) && objectIdentifier(parse(first)) === SIGNED_DATA)
      return 'a PKCS#7 file: it holds certificates without a key';
  } catch {
    // Damaged: whoever reads it next says how.
  }
  return undefined;
}
