// From bags to identities: what cannot be used does not stand in the way of the rest.
import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { ChainFinder, identityChains } from '../identity/certificates/chain.js';
import { firstElement } from '../identity/certificates/distinguished-names.js';
import { SignatureChecks } from '../identity/certificates/verify-certificate.js';
import type { Identity } from '../identity/types.js';
import type { Decryption } from './decryption/decrypt.js';
import { damaged } from './errors.js';
import { type Match, matchKey } from './keys/match-keys.js';
import { type FileCertificate, Owners, refuseStranger } from './keys/owners.js';
import type { Pkcs12, UnsupportedKey } from './pkcs12.js';
import type { Bags, CertificateBag, KeyBag, UnusableBag } from './structure/bags.js';

/**
 * The identities of a file; undefined when the password has opened nothing.
 *
 * @throws MtlsError when nothing comes of the keys: the reason of the first one, a password that is missing before all others
 */
export async function collect(bags: Bags, decryption: Decryption): Promise<Pkcs12 | undefined> {
  const { certificates, unread } = await readCertificates(bags.certificates, decryption);
  const { matches, unusable } = await matchKeys(
    bags.keys,
    await Owners.of(certificates, decryption),
    decryption,
  );
  const left = [...bags.unusable, ...unusable, ...unread];
  const locked = left.find(it => it.error.code === 'ERR_P12_KEY_PASSWORD');
  const first = locked ?? left[0];
  // A file of certificates alone has no identities.
  const isWithoutKeys = bags.keys.length === 0 && !left.some(it => it.isKey) && !locked;
  if (first && matches.length === 0 && !(isWithoutKeys && certificates.length > 0)) {
    if (locked && !decryption.passwordProven) return undefined;
    throw first.error;
  }

  const identities = await identitiesOf(matches, { certificates, decryption });
  const used = new Set(identities.flatMap(it => it.chain.map(({ fingerprint }) => fingerprint)));
  const others = certificates.map(it => it.certificate).filter(it => !used.has(it.fingerprint));
  return { identities, certificates: others, unsupported: left.map(unsupportedKey) };
}

function unsupportedKey({ friendlyName: label, keyId, error }: UnusableBag): UnsupportedKey {
  return { ...(label !== undefined && { label }), ...(keyId !== undefined && { keyId }), error };
}

interface Matches {
  matches: Match[];
  unusable: UnusableBag[];
}

async function matchKeys(bags: readonly KeyBag[], owners: Owners, decryption: Decryption): Promise<Matches> {
  const matches = new Map<FileCertificate, Match>();
  const withoutCertificate: KeyBag[] = [];
  const unusable: UnusableBag[] = [];
  for (const bag of bags) {
    await decryption.budget.turn();
    try {
      const found = await matchKey(bag, owners, decryption);
      for (const match of found) if (!matches.has(match.certificate)) matches.set(match.certificate, match);
      if (found.length === 0) withoutCertificate.push(bag);
    } catch (error) {
      unusable.push(unusableBag(bag, error));
    }
  }
  for (const bag of withoutCertificate) {
    try {
      refuseStranger(bag, owners);
    } catch (error) {
      unusable.push(unusableBag(bag, error));
    }
  }
  return { matches: [...matches.values()], unusable };
}

const ownFaults: MtlsErrorCode[] = ['ERR_P12_UNSUPPORTED', 'ERR_P12_MALFORMED', 'ERR_P12_KEY_PASSWORD'];

/** Rethrows what is not the bag's own fault. */
function unusableBag({ friendlyName, keyId }: Omit<UnusableBag, 'error'>, error: unknown): UnusableBag {
  if (!(error instanceof MtlsError && ownFaults.includes(error.code))) throw error;
  return {
    ...(friendlyName !== undefined && { friendlyName }),
    ...(keyId !== undefined && { keyId }),
    error,
  };
}

/** Repeated certificates, which the JDK writes for each entry, count once. */
async function readCertificates(
  bags: readonly CertificateBag[],
  { engine, budget }: Decryption,
): Promise<{ certificates: FileCertificate[]; unread: UnusableBag[] }> {
  const byFingerprint = new Map<string, FileCertificate>();
  const unread: UnusableBag[] = [];
  for (const { der, ...attributes } of bags) {
    await budget.turn();
    if (der.length > budget.limits.maxCertificateBytes) {
      unread.push({ ...attributes, error: damaged('one of its certificates is too large') });
      continue;
    }
    try {
      // Without what some writers leave behind it.
      const read = engine.reader.read(firstElement(der));
      const { fingerprint } = read.certificate;
      byFingerprint.set(fingerprint, { ...read, ...attributes, ...byFingerprint.get(fingerprint) });
    } catch (cause) {
      if (!(cause instanceof MtlsError && cause.code === 'ERR_CERT_MALFORMED')) throw cause;
      unread.push({ ...attributes, error: damaged('one of its certificates cannot be read', cause) });
    }
  }
  return { certificates: [...byFingerprint.values()], unread };
}

async function identitiesOf(
  matches: readonly Match[],
  {
    certificates,
    decryption: { budget },
  }: { certificates: readonly FileCertificate[]; decryption: Decryption },
): Promise<Identity[]> {
  const finder = new ChainFinder(certificates, new SignatureChecks(() => budget.countSignature()));
  const identities: Identity[] = [];
  for (const match of matches) {
    await budget.turn();
    identities.push(await identityOf(match, finder));
  }
  return identities;
}

async function identityOf({ bag, certificate, keys }: Match, finder: ChainFinder): Promise<Identity> {
  const label = certificate.friendlyName ?? bag.friendlyName;
  const keyId = bag.keyId ?? certificate.keyId;
  return {
    ...(label !== undefined && { label }),
    ...(keyId !== undefined && { keyId }),
    certificate: certificate.certificate,
    ...(await identityChains(certificate, finder)),
    keys,
  };
}
