import type { CertificateReader } from '../../identity/certificates/certificate-reader.js';
import { isValid } from '../../identity/certificates/chain.js';
import { issuedByOneOf } from '../../identity/certificates/distinguished-names.js';
import { signedBy } from '../../identity/certificates/verify-certificate.js';
import type { Certificate, Identity } from '../../identity/types.js';
import type { CertificateRequest } from '../../tls/types.js';

type Chains = Pick<Identity, 'chain' | 'otherChains'>;

/**
 * The chain of an identity in which one of the named authorities has issued some certificate (RFC 8446 section 4.2.4). Of several:
 * one that is valid now, then the one in which they have issued most. Undefined: there is none.
 */
export function acceptedChain(
  { chain, otherChains = [] }: Chains,
  { acceptableIssuers }: Pick<CertificateRequest, 'acceptableIssuers'>,
): Certificate[] | undefined {
  const isAccepted = acceptableIssuers.length === 0 ? () => true : issuedByOneOf(acceptableIssuers);
  const now = new Date();
  const [best] = [chain, ...otherChains]
    .map(certificates => ({
      certificates,
      isValid: certificates.every(it => isValid(it, now)),
      strangers: certificates.filter(({ der }) => !isAccepted(der)).length,
    }))
    .filter(({ certificates, strangers }) => strangers < certificates.length)
    .sort((a, b) => Number(b.isValid) - Number(a.isValid) || a.strangers - b.strangers);
  return best?.certificates;
}

/**
 * What is sent of an identity: the chain that the server accepts, or the usual one, without the root, which the server has already
 * if it is to trust it (RFC 8446 section 4.4.2).
 */
export async function chainToSend(
  identity: Chains,
  request: CertificateRequest,
  reader: CertificateReader,
): Promise<Certificate[]> {
  const chain = acceptedChain(identity, request) ?? identity.chain;
  const last = chain.at(-1);
  return chain.length > 1 && last && (await isRoot(last, reader)) ? chain.slice(0, -1) : chain;
}

const knownRoots = new WeakMap<Certificate, boolean>();

/** Whether it signed itself. One that an authority issued to itself for a new key leads from there to the old one. */
async function isRoot(certificate: Certificate, reader: CertificateReader): Promise<boolean> {
  const known = knownRoots.get(certificate);
  if (known !== undefined) return known;
  const [read] = reader.readAll([certificate.der]);
  const result =
    read !== undefined && read.subjectName === read.issuerName && (await signedBy(read, read)) !== false;
  knownRoots.set(certificate, result);
  return result;
}
