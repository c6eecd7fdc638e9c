import { MtlsError } from '../../errors.js';
import type { CertificateReader } from '../../identity/certificates/certificate-reader.js';
import { isForClients } from '../../identity/certificates/chain.js';
import { schemesForVersion } from '../../identity/signatures/signature-schemes.js';
import { credentialOf } from '../../identity/signatures/signing.js';
import type { Certificate, Identity, StoredIdentity } from '../../identity/types.js';
import type { CertificateRequest } from '../../tls/types.js';
import type { UnfitIdentity } from '../challenge.js';
import { acceptedChain } from './accepted-chain.js';
import type { KnownIdentities } from './known-identities.js';

/** The identities of a client, sorted for one request of a server. */
export interface Candidates {
  fit: StoredIdentity[];
  unfit: UnfitIdentity[];
}

export interface Demand {
  known: KnownIdentities;
  request: CertificateRequest;
  reader: CertificateReader;
}

const MAX_NAMES = 3;

export function sortIdentities(demand: Demand): Candidates {
  const sorted: Candidates = { fit: [], unfit: [] };
  for (const identity of demand.known.all) {
    const reason = readableUnfitness(identity, demand);
    if (reason) sorted.unfit.push({ identity, ...reason });
    else sorted.fit.push(identity);
  }
  return sorted;
}

/** The ids of the identities that a handler may name. */
export function offeredIds({ fit, unfit }: Candidates): string[] {
  return [...fit, ...unfit.filter(it => it.selectable).map(it => it.identity)].map(({ id }) => id);
}

type Unfitness = Omit<UnfitIdentity, 'identity'>;

/** A damaged record of one identity does not stand in the way of the others. */
function readableUnfitness(identity: StoredIdentity, demand: Demand): Unfitness | undefined {
  try {
    return unfitness(identity, demand);
  } catch (error) {
    if (!(error instanceof MtlsError) || error.code !== 'ERR_CERT_MALFORMED') throw error;
    const message = 'its certificate cannot be read: delete it, and import it again';
    return { code: error.code, message, selectable: false };
  }
}

/** Undefined when the identity fits. What is wrong with the identity itself comes before what may be changed about it. */
function unfitness(identity: StoredIdentity, demand: Demand): Unfitness | undefined {
  const now = Date.now();
  const { certificate, controls } = identity;
  if (now > certificate.notAfter.getTime())
    return { code: 'ERR_TLS_CERT_EXPIRED', message: 'its certificate has expired', selectable: true };
  if (now < certificate.notBefore.getTime()) {
    return {
      code: 'ERR_TLS_CERT_NOT_YET_VALID',
      message: 'its certificate is not valid yet',
      selectable: true,
    };
  }
  if (!signs(identity, demand.request)) {
    const message = `its key ${unsupportedSchemes(demand.request)}`;
    return { code: 'ERR_IDENTITY_NOT_ACCEPTED', message, selectable: false };
  }
  if (!isClientCertificate(certificate, demand.reader)) {
    const message = 'its certificate is not for client authentication';
    return { code: 'ERR_TLS_CERT_PURPOSE', message, selectable: true };
  }
  if (!acceptedChain(identity, demand.request)) {
    const message = `the server accepts the certificates of other authorities (${namesOf(demand)})`;
    return { code: 'ERR_IDENTITY_NOT_ACCEPTED', message, selectable: true };
  }
  if (!demand.known.allowed.includes(identity)) {
    // Without any host it may be chosen by hand.
    const selectable = !controls.hosts?.length;
    const led = demand.known.redirected ? 'a redirect led to this host, and ' : '';
    const message = selectable
      ? `${led}no host is set for it (control hosts)`
      : 'it is for other hosts (control hosts)';
    return { code: 'ERR_IDENTITY_NOT_ALLOWED', message, selectable };
  }
  if (controls.expiresAt && now >= controls.expiresAt.getTime())
    return {
      code: 'ERR_IDENTITY_EXPIRED',
      message: 'its time is over (control expiresAt): update it, or import it again',
      selectable: false,
    };
  // With user verification it is unlocked by its use.
  if (identity.locked && controls.userVerification !== 'required') {
    const message = 'it is locked, by lock() or by its control idleTimeoutMs: unlock it first';
    return { code: 'ERR_IDENTITY_LOCKED', message, selectable: false };
  }
  return undefined;
}

/** Of certificates, which every new connection asks about again. */
const forClients = new WeakMap<Certificate, boolean>();

/** @throws MtlsError ERR_CERT_MALFORMED */
function isClientCertificate(certificate: Certificate, reader: CertificateReader): boolean {
  const result = forClients.get(certificate) ?? isForClients(reader.read(certificate.der));
  forClients.set(certificate, result);
  return result;
}

function signs(identity: StoredIdentity, { schemes, version }: CertificateRequest): boolean {
  return schemesOf(identity, version).some(scheme => schemes.includes(scheme));
}

/** A clause about a key that supports none of them. Servers with SHA-1 alone are told apart: RFC 9155 rules it out, in whatever version. */
export function unsupportedSchemes({ schemes }: CertificateRequest): string {
  const isWeak = schemes.length > 0 && schemes.every(scheme => scheme >> 8 <= SHA224);
  if (isWeak)
    return 'must not sign with SHA-1 or weaker hashes, which are all that the server accepts (RFC 9155)';
  return "supports none of the server's signature schemes";
}

/** The hashes of TLS 1.2 begin with MD5, SHA-1 and SHA-224 (RFC 5246 section 7.4.1.4.1). */
const SHA224 = 3;

/** A locked identity shows no keys: what they will sign with follows from the certificate. */
function schemesOf(identity: Identity, version: CertificateRequest['version']): readonly number[] {
  if (identity.keys.length > 0) return credentialOf(identity, version).schemes;
  return schemesForVersion(identity.certificate.keyAlgorithm, version).map(({ code }) => code);
}

/** For people, who look for one name and not for a hundred. */
function namesOf({ reader, request: { acceptableIssuers } }: Demand): string {
  const named = acceptableIssuers.slice(0, MAX_NAMES).map(it => reader.describeName(it));
  const more = acceptableIssuers.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
