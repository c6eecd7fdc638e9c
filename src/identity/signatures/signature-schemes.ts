/** How WebCrypto imports a key for a scheme, and how it signs with it. */
export interface SchemeAlgorithms {
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

const pss = /* @__PURE__ */ rsaHashes.map(({ hash, bytes, pss }) => ({
  code: pss,
  importAlgorithm: { name: 'RSA-PSS', hash },
  signAlgorithm: { name: 'RSA-PSS', saltLength: bytes },
  // RFC 8017 section 9.1.1: salt, hash and two octets.
  leastModulusBits: 8 * (2 * bytes + 2),
}));

/** Of keys that are restricted to RSASSA-PSS, which have code points of their own. */
const restrictedPss = /* @__PURE__ */ pss.map((scheme, i) => ({ ...scheme, code: 0x0809 + i }));

const pkcs1 = /* @__PURE__ */ rsaHashes.map(({ hash, bytes, pkcs1 }) => ({
  code: pkcs1,
  importAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash },
  signAlgorithm: { name: 'RSASSA-PKCS1-v1_5' },
  // RFC 8017 section 9.2: DigestInfo (19 octets and the hash) and eleven more.
  leastModulusBits: 8 * (bytes + 19 + 11),
}));

const ecdsa = (namedCurve: string, hash: string, code: number): SchemeAlgorithms => ({
  code,
  importAlgorithm: { name: 'ECDSA', namedCurve },
  signAlgorithm: { name: 'ECDSA', hash },
});

const byKeyAlgorithm = new Map<string, readonly SchemeAlgorithms[]>([
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
export function schemesForKey(keyAlgorithm: string): readonly SchemeAlgorithms[] {
  const [, restricted, bits] = /^RSA(SSA-PSS)?-(\d+)$/.exec(keyAlgorithm) ?? [];
  if (bits === undefined) return byKeyAlgorithm.get(keyAlgorithm) ?? [];
  const schemes = restricted ? restrictedPss : [...pss, ...pkcs1];
  return schemes.filter(scheme => Number(bits) >= scheme.leastModulusBits);
}

/**
 * The schemes that a key signs with in a version of TLS, in order of preference. In TLS 1.2 a scheme with ECDSA is a pair of hash and
 * signature for any curve (RFC 8446 section 4.2.3), and RSA keys sign PKCS#1 v1.5 as well.
 */
export function schemesForVersion(
  keyAlgorithm: string,
  version: 'TLSv1.2' | 'TLSv1.3',
): readonly SchemeAlgorithms[] {
  const schemes = schemesForKey(keyAlgorithm);
  if (version === 'TLSv1.3') return schemes.filter(it => !pkcs1.some(({ code }) => code === it.code));
  const [curve] = schemes;
  if (curve?.importAlgorithm.name !== 'ECDSA') return schemes;
  const others = [...byKeyAlgorithm.values()].flat().filter(it => it !== curve && it.signAlgorithm.hash);
  return [curve, ...others.map(it => ({ ...it, importAlgorithm: curve.importAlgorithm }))];
}

/** How signatures of a scheme may have been made: in TLS 1.2, those with ECDSA on several curves. */
export function schemesByCode(code: number, version: 'TLSv1.2' | 'TLSv1.3'): readonly SchemeAlgorithms[] {
  const kinds = ['RSA-8192', 'RSASSA-PSS-8192', ...byKeyAlgorithm.keys()];
  return kinds.flatMap(kind => schemesForVersion(kind, version)).filter(it => it.code === code);
}

/** Whether a CryptoKey was imported for a scheme. */
export function isKeyFor(key: CryptoKey, { importAlgorithm }: SchemeAlgorithms): boolean {
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
