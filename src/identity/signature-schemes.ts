/** How WebCrypto imports a key for a scheme, and how it signs with it. */
export interface SignatureScheme {
  /** The SignatureScheme code point of TLS (RFC 8446, section 4.2.3). */
  code: number;
  importAlgorithm: { name: string; hash?: string; namedCurve?: string };
  signAlgorithm: { name: string; hash?: string; saltLength?: number };
}

const rsaHashes = [
  { hash: 'SHA-256', bytes: 32, pss: 0x0804, pkcs1: 0x0401 },
  { hash: 'SHA-384', bytes: 48, pss: 0x0805, pkcs1: 0x0501 },
  { hash: 'SHA-512', bytes: 64, pss: 0x0806, pkcs1: 0x0601 },
] as const;

const pss = rsaHashes.map(({ hash, bytes, pss }) => ({
  code: pss,
  importAlgorithm: { name: 'RSA-PSS', hash },
  signAlgorithm: { name: 'RSA-PSS', saltLength: bytes },
  // RFC 8017 section 9.1.1: salt, hash and two octets.
  leastModulusBits: 8 * (2 * bytes + 2),
}));

/** Of keys that are restricted to RSASSA-PSS, which have code points of their own. */
const restrictedPss = pss.map((scheme, i) => ({ ...scheme, code: 0x0809 + i }));

const pkcs1 = rsaHashes.map(({ hash, bytes, pkcs1 }) => ({
  code: pkcs1,
  importAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash },
  signAlgorithm: { name: 'RSASSA-PKCS1-v1_5' },
  // RFC 8017 section 9.2: DigestInfo (19 octets and the hash) and eleven more.
  leastModulusBits: 8 * (bytes + 19 + 11),
}));

const ecdsa = (namedCurve: string, hash: string, code: number): SignatureScheme => ({
  code,
  importAlgorithm: { name: 'ECDSA', namedCurve },
  signAlgorithm: { name: 'ECDSA', hash },
});

const byKeyAlgorithm = new Map<string, readonly SignatureScheme[]>([
  ['ECDSA P-256', [ecdsa('P-256', 'SHA-256', 0x0403)]],
  ['ECDSA P-384', [ecdsa('P-384', 'SHA-384', 0x0503)]],
  ['ECDSA P-521', [ecdsa('P-521', 'SHA-512', 0x0603)]],
  ['Ed25519', [{ code: 0x0807, importAlgorithm: { name: 'Ed25519' }, signAlgorithm: { name: 'Ed25519' } }]],
]);

/**
 * The schemes that a key signs with, in order of preference; none when TLS or WebCrypto cannot use it.
 *
 * @param keyAlgorithm as in `Certificate.keyAlgorithm`
 */
export function schemesForKey(keyAlgorithm: string): readonly SignatureScheme[] {
  const [, restricted, bits] = /^RSA(SSA-PSS)?-(\d+)$/.exec(keyAlgorithm) ?? [];
  if (bits === undefined) return byKeyAlgorithm.get(keyAlgorithm) ?? [];
  const schemes = restricted ? restrictedPss : [...pss, ...pkcs1];
  return schemes.filter(scheme => Number(bits) >= scheme.leastModulusBits);
}

/** Whether a CryptoKey was imported for a scheme. */
export function isKeyFor(key: CryptoKey, { importAlgorithm }: SignatureScheme): boolean {
  const { name, hash, namedCurve } = key.algorithm as KeyAlgorithm & {
    hash?: KeyAlgorithm;
    namedCurve?: string;
  };
  return (
    importAlgorithm.name === name &&
    importAlgorithm.hash === hash?.name &&
    importAlgorithm.namedCurve === namedCurve
  );
}
