// The way through a file. Loaded on demand, with PKI.js and asn1js behind it.
import type { EngineSource } from '../engine/load.js';
import { loadEngine } from '../engine/load.js';
import { buildChain, judgeChain } from '../identity/chain.js';
import type { Certificate, Identity } from '../identity/types.js';
import { type Bags, type CertificateBag, parseSafeContents } from './bags.js';
import { Session } from './decrypt.js';
import { ImportEngine } from './engine.js';
import { malformed } from './errors.js';
import { type FileCertificate, type Match, matchKey } from './keys.js';
import type { Pkcs12 } from './open-pkcs12.js';
import { encodePassword } from './password.js';
import { recogniseOther } from './recognise.js';
import { type Pfx, parsePfx } from './structure.js';
import type { Work } from './work.js';

/** Each key is tried against each certificate; a Java key store with every public root has 150. */
const MAX_KEYS = 100;
const MAX_CERTIFICATES = 1_000;

export async function importFile(
  file: Uint8Array<ArrayBuffer>,
  options: { password: string; engine: EngineSource | undefined; work: Work },
): Promise<Pkcs12> {
  const other = recogniseOther(file);
  if (other) throw malformed(`This is not a PKCS#12 file but ${other}.`);
  const pfx = parsePfx(file);
  // All that shows without the password is checked before the engine is even loaded.
  const clear = pfx.contents.map(it => (it instanceof Uint8Array ? parseSafeContents(it) : undefined));
  const { work } = options;
  work.plan([
    pfx.mac?.iterations ?? 0,
    ...pfx.contents.map(it => (it instanceof Uint8Array ? 0 : it.encryption.iterations)),
    ...clear.flatMap(bags => (bags ? keyIterations(bags) : [])),
  ]);
  work.throwIfAborted();

  const engine = await ImportEngine.create(await loadEngine(options.engine));
  const session = new Session(engine, work, encodePassword(options.password));
  try {
    await session.checkMac(pfx);
    return await collect(await openContents(pfx, clear, session), session);
  } finally {
    session.wipe();
  }
}

function keyIterations(bags: Bags): number[] {
  return bags.keys.map(({ key }) => (key instanceof Uint8Array ? 0 : key.encryption.iterations));
}

async function openContents(pfx: Pfx, clear: readonly (Bags | undefined)[], session: Session): Promise<Bags> {
  const all: Bags = { keys: [], certificates: [] };
  for (const [i, content] of pfx.contents.entries()) {
    let bags = clear[i];
    if (!bags && !(content instanceof Uint8Array)) {
      bags = await session.open(content, parseSafeContents);
      session.work.plan(keyIterations(bags));
    }
    all.keys.push(...(bags?.keys ?? []));
    all.certificates.push(...(bags?.certificates ?? []));
  }
  return all;
}

async function collect(bags: Bags, session: Session): Promise<Pkcs12> {
  if (bags.keys.length > MAX_KEYS || bags.certificates.length > MAX_CERTIFICATES)
    throw malformed(`The file has more than ${MAX_KEYS} keys or ${MAX_CERTIFICATES} certificates.`);
  const certificates = readCertificates(bags.certificates, session.engine);
  const matches: Match[] = [];
  for (const bag of bags.keys) {
    session.work.throwIfAborted();
    const found = await matchKey(bag, certificates, session);
    matches.push(...found.filter(it => !matches.some(known => known.certificate === it.certificate)));
  }
  for (const bag of bags.keys) refuseStranger(bag, certificates, matches);

  const identities: Identity[] = [];
  for (const match of matches) identities.push(await identityOf(match, certificates));
  const used = new Set(identities.flatMap(it => it.chain.map(({ fingerprint }) => fingerprint)));
  const others = certificates.map(it => it.certificate).filter(it => !used.has(it.fingerprint));
  return { identities, certificates: others };
}

/** Repeated certificates, which the JDK writes for each entry, count once. */
function readCertificates(bags: readonly CertificateBag[], engine: ImportEngine): FileCertificate[] {
  const byFingerprint = new Map<string, FileCertificate>();
  for (const { der, ...attributes } of bags) {
    let read: FileCertificate;
    try {
      read = engine.readCertificate(der);
    } catch (cause) {
      throw malformed('The file is damaged: one of its certificates cannot be read.', cause);
    }
    const { fingerprint } = read.certificate;
    byFingerprint.set(fingerprint, { ...read, ...attributes, ...byFingerprint.get(fingerprint) });
  }
  return [...byFingerprint.values()];
}

/** A key whose only certificate, by the file's own word, has another public key: one of the two is damaged. */
function refuseStranger(
  bag: Bags['keys'][number],
  certificates: readonly FileCertificate[],
  matches: readonly Match[],
): void {
  if (bag.keyId === undefined || matches.some(it => it.bag === bag)) return;
  const claimed = certificates.filter(it => it.keyId === bag.keyId);
  const free = claimed.filter(it => !matches.some(match => match.certificate === it));
  if (claimed.length > 0 && free.length === claimed.length)
    throw malformed('The file is damaged: a private key does not belong to its certificate.');
}

async function identityOf(
  { bag, certificate, keys }: Match,
  pool: readonly FileCertificate[],
): Promise<Identity> {
  const trust = judgeChain(await buildChain(certificate, pool));
  const label = certificate.friendlyName ?? bag.friendlyName;
  const keyId = bag.keyId ?? certificate.keyId;
  const chain: Certificate[] = trust.chain;
  return {
    ...(label !== undefined && { label }),
    ...(keyId !== undefined && { keyId }),
    certificate: certificate.certificate,
    chain,
    keys,
    trust,
  };
}
