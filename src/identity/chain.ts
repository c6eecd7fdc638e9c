import type { ReadCertificate } from './certificate.js';
import { equalBytes } from './encoding.js';
import type { TrustResult } from './types.js';
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

/** RFC 5280, section 4.2.1.12. */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';
/** Bits of keyUsage (RFC 5280, section 4.2.1.3). */
const DIGITAL_SIGNATURE = 1 << 0;
const KEY_CERT_SIGN = 1 << 5;

/** Whether a certificate may be shown as a client's in TLS: neither of its usage extensions forbids it. */
export function isForClients({ keyUsage, extendedKeyUsage }: ReadCertificate): boolean {
  const signs = keyUsage === undefined || (keyUsage & DIGITAL_SIGNATURE) !== 0;
  const purposes = extendedKeyUsage ?? [ANY_PURPOSE];
  return signs && purposes.some(it => it === CLIENT_AUTH || it === ANY_PURPOSE);
}

/**
 * Whether a chain reaches a root, each of its certificates is valid at a time, and its first one is fit for client
 * authentication. Whom to trust is not asked here.
 */
export function judgeChain({ certificates, complete }: Chain, at: Date = new Date()): TrustResult {
  const chain = certificates.map(it => it.certificate);
  const reason = failure({ certificates, complete }, at);
  return reason ? { trusted: false, ...reason, chain } : { trusted: true, chain };
}

type Failure = Required<Pick<TrustResult, 'code' | 'message'>>;

function failure({ certificates, complete }: Chain, at: Date): Failure | undefined {
  const chain = certificates.map(it => it.certificate);
  const expired = chain.find(it => at > it.notAfter);
  if (expired)
    return {
      code: 'ERR_TLS_CERT_EXPIRED',
      message: `${expired.subject} expired on ${expired.notAfter.toISOString()}`,
    };
  const early = chain.find(it => at < it.notBefore);
  if (early) {
    const message = `${early.subject} is valid from ${early.notBefore.toISOString()} on`;
    return { code: 'ERR_TLS_CERT_NOT_YET_VALID', message };
  }
  const [own] = certificates;
  if (own && !isForClients(own)) {
    const message = `${own.certificate.subject} is not for client authentication (its key usage)`;
    return { code: 'ERR_TLS_CERT_PURPOSE', message };
  }
  const stranger = certificates.slice(1).find((it, i) => !mayIssue(it, i === certificates.length - 2));
  if (stranger) {
    const message = `${stranger.certificate.subject} is no certificate authority`;
    return { code: 'ERR_TLS_CERT_UNTRUSTED', message };
  }
  if (complete) return undefined;
  const missing = chain.at(-1)?.issuer ?? '';
  return { code: 'ERR_TLS_CERT_UNTRUSTED', message: `the certificate of ${missing} is missing` };
}

/** Roots of version 1 have no extensions. */
function mayIssue({ authority, keyUsage, extendedKeyUsage }: ReadCertificate, last: boolean): boolean {
  if (keyUsage !== undefined && (keyUsage & KEY_CERT_SIGN) === 0) return false;
  return authority || (last && keyUsage === undefined && extendedKeyUsage === undefined);
}
