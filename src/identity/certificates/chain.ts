import { grouped } from '../../util/lists.js';
import type { Certificate, Identity, TrustResult } from '../types.js';
import { hasTimes, type ReadCertificate } from './certificate-reader.js';
import { SignatureChecks } from './verify-certificate.js';

/** A certificate and its issuers, as far as they were found. */
export interface Chain {
  certificates: ReadCertificate[];
  /** Whether it ends with a certificate that signed itself. */
  complete: boolean;
}

/** Longer than any honest chain. */
const MAX_LENGTH = 16;
/** A certificate below cross-signed authorities has a few. */
const MAX_CHAINS = 8;
/** Bound the search for them: of one certificate, and of all that one finder is asked for. */
const MAX_STEPS = 200;
const MAX_STEPS_IN_ALL = 20_000;

/** Finds the chains of certificates in a set of others, by name and signature. */
export class ChainFinder {
  readonly #bySubject: ReadonlyMap<string, readonly ReadCertificate[]>;
  readonly #issuers = new Map<ReadCertificate, Promise<ReadCertificate[]>>();
  readonly #checks: SignatureChecks;
  #stepsLeft = MAX_STEPS_IN_ALL;

  constructor(pool: readonly ReadCertificate[], checks = new SignatureChecks()) {
    // Of several that fit, the one that is good for longest comes first.
    const longest = [...pool].sort(
      (a, b) => b.certificate.notAfter.getTime() - a.certificate.notAfter.getTime(),
    );
    this.#bySubject = grouped(longest, it => it.subjectName);
    this.#checks = checks;
  }

  /** The chains of a certificate, the best first: good now, then complete. There is at least one: the certificate alone. */
  async find(leaf: ReadCertificate): Promise<[Chain, ...Chain[]]> {
    const found: Chain[] = [];
    let steps = MAX_STEPS;
    const extend = async (certificates: ReadCertificate[], last: ReadCertificate): Promise<void> => {
      if (steps-- <= 0 || this.#stepsLeft-- <= 0) return;
      const issuers = certificates.length < MAX_LENGTH ? await this.#issuersOf(last) : [];
      const complete = issuers.includes(last);
      const next = complete
        ? []
        : issuers.filter(it => !certificates.some(known => isSameAuthority(known, it)));
      if (next.length === 0) found.push({ certificates, complete });
      for (const issuer of next) await extend([...certificates, issuer], issuer);
    };
    await extend([leaf], leaf);
    const now = new Date();
    const [best, ...others] = found.sort((a, b) => badness(a, now) - badness(b, now)).slice(0, MAX_CHAINS);
    return [best ?? { certificates: [leaf], complete: false }, ...others];
  }

  /** Those that signed it, proven ones first, with itself among them when it is a root. */
  #issuersOf(certificate: ReadCertificate): Promise<ReadCertificate[]> {
    const known = this.#issuers.get(certificate) ?? this.#findIssuers(certificate);
    this.#issuers.set(certificate, known);
    return known;
  }

  async #findIssuers(certificate: ReadCertificate): Promise<ReadCertificate[]> {
    const { subjectName, issuerName } = certificate;
    const named = new Set(this.#bySubject.get(issuerName));
    if (subjectName === issuerName) named.add(certificate);
    const proven: ReadCertificate[] = [];
    const possible: ReadCertificate[] = [];
    for (const candidate of named) {
      const verdict = await this.#checks.signedBy(certificate, candidate);
      if (verdict !== false) (verdict ? proven : possible).push(candidate);
    }
    return [...proven, ...possible];
  }
}

/** The same name and key: a chain does not come to it twice. */
function isSameAuthority(one: ReadCertificate, other: ReadCertificate): boolean {
  return one.subjectName === other.subjectName && one.certificate.spkiPin === other.certificate.spkiPin;
}

/** Less is better. */
function badness(chain: Chain, now: Date): number {
  const { trusted } = judgeChain(chain, now);
  const isGoodNow = chain.certificates.every(it => isValid(it.certificate, now));
  return (trusted ? 0 : 4) + (isGoodNow ? 0 : 2) + (chain.complete ? 0 : 1);
}

export function isValid({ notBefore, notAfter }: Certificate, at: Date): boolean {
  return notBefore <= at && at <= notAfter;
}

/** The chains of an identity: the best one, judged, and the others. */
export async function identityChains(
  leaf: ReadCertificate,
  finder: ChainFinder,
): Promise<Pick<Identity, 'chain' | 'trust' | 'otherChains'>> {
  const [best, ...others] = await finder.find(leaf);
  const trust = judgeChain(best);
  const otherChains = others.map(({ certificates }) => certificates.map(it => it.certificate));
  return { chain: trust.chain, trust, ...(otherChains.length > 0 && { otherChains }) };
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
function judgeChain({ certificates, complete }: Chain, at: Date = new Date()): TrustResult {
  const chain = certificates.map(it => it.certificate);
  const reason = failure({ certificates, complete }, at);
  return reason ? { trusted: false, ...reason, chain } : { trusted: true, chain };
}

type Failure = Required<Pick<TrustResult, 'code' | 'message'>>;

function failure({ certificates, complete }: Chain, at: Date): Failure | undefined {
  const chain = certificates.map(it => it.certificate);
  const timeless = chain.find(it => !hasTimes(it));
  if (timeless) {
    const message = `the validity of ${timeless.subject} cannot be read`;
    return { code: 'ERR_TLS_CERT_UNTRUSTED', message };
  }
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
