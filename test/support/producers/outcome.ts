import type { openPkcs12 } from '../../../src/index.js';

/** What came of opening a file, in a form that leaves a browser: bytes are base64. */
export type Outcome =
  | { error: string; code?: string; message: string }
  | { identities: OpenedIdentity[]; certificates: number; unsupported: number };

export interface OpenedIdentity {
  label: string | undefined;
  subjects: string[];
  issuers: string[];
  certificate: string;
  keys: {
    name: string;
    hash: string | undefined;
    namedCurve: string | undefined;
    extractable: boolean;
    /** Of `prove it`. */
    signature: string;
  }[];
}

/** Runs in a page too, so it uses nothing from outside. */
export async function outcomeOf(
  open: typeof openPkcs12,
  bytes: BufferSource,
  options: Parameters<typeof openPkcs12>[1],
): Promise<Outcome> {
  const base64 = (value: ArrayBuffer | Uint8Array) =>
    btoa(Array.from(new Uint8Array(value), octet => String.fromCharCode(octet)).join(''));
  const describeKey = async (key: CryptoKey) => {
    const { name, hash, namedCurve } = key.algorithm as EcKeyAlgorithm & Partial<RsaHashedKeyAlgorithm>;
    const digest = hash?.name ?? { 'P-384': 'SHA-384', 'P-521': 'SHA-512' }[namedCurve] ?? 'SHA-256';
    const saltLength = { 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 }[digest] ?? 0;
    const message = new TextEncoder().encode('prove it');
    const signature = await crypto.subtle.sign(
      { name, hash: digest, saltLength } as EcdsaParams,
      key,
      message,
    );
    const { extractable } = key;
    return { name, hash: digest, namedCurve, extractable, signature: base64(signature) };
  };
  try {
    const { identities, certificates, unsupported } = await open(bytes, options);
    return {
      identities: await Promise.all(
        identities.map(async ({ label, chain, certificate, keys }) => ({
          label,
          subjects: chain.map(it => it.subject),
          issuers: chain.map(it => it.issuer),
          certificate: base64(certificate.der),
          keys: await Promise.all(keys.map(describeKey)),
        })),
      ),
      certificates: certificates.length,
      unsupported: unsupported.length,
    };
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return { error: name, ...(code !== undefined && { code }), message };
  }
}
