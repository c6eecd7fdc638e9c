import type { ReadCertificate } from './certificate.js';
import { equalBytes } from './encoding.js';
import type { Certificate, TrustResult } from './types.js';
import { signedBy } from './verify-certificate.js';

/** A certificate and its issuers, as far as they were found. */
export interface Chain {
  certificates: ReadCertificate[];
  /** Whether it ends with a certificate that signed itself. */
  complete: boolean;
}

/** Longer than any honest chain. */
const MAX_LENGTH = 16;

/** Follows the issuers from `leaf` through `pool`, by name and signature. */
export async function buildChain(leaf: ReadCertificate, pool: readonly ReadCertificate[]): Promise<Chain> {
  const certificates = [leaf];
  let last = leaf;
  while (!equalBytes(last.subject, last.issuer) && certificates.length < MAX_LENGTH) {
    const issuer = await findIssuer(
      last,
      pool.filter(it => !certificates.includes(it)),
    );
    if (!issuer) return { certificates, complete: false };
    certificates.push(issuer);
    last = issuer;
  }
  const selfSigned = equalBytes(last.subject, last.issuer) && (await signedBy(last, last)) !== false;
  return { certificates, complete: selfSigned };
}

async function findIssuer(
  certificate: ReadCertificate,
  pool: readonly ReadCertificate[],
): Promise<ReadCertificate | undefined> {
  const named = pool.filter(it => equalBytes(it.subject, certificate.issuer));
  // Of several with the same name and key (renewed, cross-signed) the one that is good for longest.
  named.sort((a, b) => b.certificate.notAfter.getTime() - a.certificate.notAfter.getTime());
  for (const candidate of named) {
    if ((await signedBy(certificate, candidate)) !== false) return candidate;
  }
  return undefined;
}

/** Whether a chain reaches a root and each of its certificates is valid at a time. Whom to trust is not asked here. */
export function judgeChain({ certificates, complete }: Chain, at: Date = new Date()): TrustResult {
  const chain = certificates.map(it => it.certificate);
  const code = failure(chain, complete, at);
  return code ? { trusted: false, code, chain } : { trusted: true, chain };
}

function failure(chain: Certificate[], complete: boolean, at: Date): TrustResult['code'] {
  if (chain.some(it => at > it.notAfter)) return 'ERR_TLS_CERT_EXPIRED';
  if (chain.some(it => at < it.notBefore)) return 'ERR_TLS_CERT_NOT_YET_VALID';
  return complete ? undefined : 'ERR_TLS_CERT_UNTRUSTED';
}
