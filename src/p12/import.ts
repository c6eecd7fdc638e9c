// The way through a file. Loaded on demand, with PKI.js and asn1js behind it.
import type { EngineSource } from '../engine/load.js';
import { loadEngine } from '../engine/load.js';
import { MtlsError } from '../errors.js';
import { ChainFinder, identityChains } from '../identity/chain.js';
import { firstElement } from '../identity/names.js';
import type { Identity } from '../identity/types.js';
import { SignatureChecks } from '../identity/verify-certificate.js';
import type { Encryption } from './algorithms.js';
import { type Bags, type CertificateBag, type KeyBag, parseSafeContents } from './bags.js';
import { Session } from './decrypt.js';
import { ImportEngine } from './engine.js';
import { damaged, malformed } from './errors.js';
import { type FileCertificate, type Match, matchKey, Owners, refuseStranger } from './keys.js';
import type { Pkcs12Limits } from './limits.js';
import type { Pkcs12, Pkcs12Inspection, UnsupportedKey } from './open-pkcs12.js';
import { encodePassword } from './password.js';
import { recogniseOther } from './recognise.js';
import { type Encrypted, encryptionCost, macCost, type Pfx, parsePfx } from './structure.js';
import { type Cost, Work } from './work.js';

export interface ImportOptions {
  password: string;
  /** Whether the identities can be wrapped later. */
  sealedCopy: boolean;
  engine: EngineSource | undefined;
  work: Work;
}

export async function importFile(
  file: Uint8Array<ArrayBuffer>,
  { password, sealedCopy, engine: source, work }: ImportOptions,
): Promise<Pkcs12> {
  const pfx = readOutside(file);
  const contents = new Contents(pfx, work);
  contents.plan();
  work.throwIfAborted();

  const engine = await ImportEngine.create(await loadEngine(source));
  const session = new Session(engine, work, encodePassword(password));
  session.sealedCopy = sealedCopy;
  try {
    session.prefetch(contents.encryptions);
    await session.checkMac(pfx);
    return await collect(await contents.open(session), session);
  } finally {
    session.wipe();
  }
}

/** What a file's outside shows, without the password and without any work. */
export function inspectFile(file: Uint8Array<ArrayBuffer>, limits: Pkcs12Limits): Pkcs12Inspection {
  const pfx = readOutside(file);
  const costs = new Contents(pfx, new Work({ limits })).visibleCosts;
  return {
    integrity: pfx.mac ? (pfx.mac.scheme.kind === 'pbmac1' ? 'PBMAC1' : 'MAC') : 'none',
    iterations: costs.reduce((sum, it) => sum + it.iterations, 0),
    memoryBytes: Math.max(0, ...costs.map(it => it.memoryBytes)),
  };
}

function readOutside(file: Uint8Array<ArrayBuffer>): Pfx {
  const other = recogniseOther(file);
  if (other) throw malformed(`This is not a PKCS#12 file but ${other}.`);
  return parsePfx(file);
}

/** The SafeContents of a file; those in clear are read before the engine is even loaded. */
class Contents {
  #pfx: Pfx;
  #clear: (Bags | undefined)[];
  #work: Work;

  constructor(pfx: Pfx, work: Work) {
    this.#pfx = pfx;
    this.#work = work;
    this.#clear = pfx.contents.map(it =>
      it instanceof Uint8Array ? parseSafeContents(it, work.limits) : undefined,
    );
  }

  /** Of the parts and of the keys outside of them. */
  get encryptions(): Encryption[] {
    const parts = this.#pfx.contents.flatMap(it => (it instanceof Uint8Array ? [] : [it]));
    return [...parts, ...this.#clear.flatMap(bags => (bags ? encryptedKeys(bags) : []))].map(
      it => it.encryption,
    );
  }

  get visibleCosts(): Cost[] {
    const { mac } = this.#pfx;
    return [...(mac ? [macCost(mac)] : []), ...this.encryptions.map(encryptionCost)];
  }

  plan(): void {
    this.#work.plan(this.visibleCosts);
  }

  async open(session: Session): Promise<Bags> {
    const all: Bags = { keys: [], certificates: [] };
    for (const [i, content] of this.#pfx.contents.entries()) {
      let bags = this.#clear[i];
      if (!bags && !(content instanceof Uint8Array)) {
        bags = await session.open(content, it => parseSafeContents(it, this.#work.limits));
        const inside = encryptedKeys(bags).map(it => it.encryption);
        this.#work.plan(inside.map(encryptionCost));
        session.prefetch(inside);
      }
      all.keys.push(...(bags?.keys ?? []));
      all.certificates.push(...(bags?.certificates ?? []));
    }
    return all;
  }
}

function encryptedKeys({ keys }: Bags): Encrypted[] {
  return keys.flatMap(({ key }) => (key instanceof Uint8Array ? [] : [key]));
}

async function collect(bags: Bags, session: Session): Promise<Pkcs12> {
  const { maxKeys, maxCertificates } = session.work.limits;
  if (bags.keys.length > maxKeys || bags.certificates.length > maxCertificates)
    throw malformed(`The file has more than ${maxKeys} keys or ${maxCertificates} certificates.`);
  const certificates = await readCertificates(bags.certificates, session);
  const { matches, unsupported } = await matchKeys(bags.keys, new Owners(certificates), session);

  const checks = new SignatureChecks(() => session.work.countSignature());
  const finder = new ChainFinder(certificates, checks);
  const identities: Identity[] = [];
  for (const match of matches) {
    await session.work.turn();
    identities.push(await identityOf(match, finder));
  }
  const used = new Set(identities.flatMap(it => it.chain.map(({ fingerprint }) => fingerprint)));
  const others = certificates.map(it => it.certificate).filter(it => !used.has(it.fingerprint));
  return { identities, certificates: others, unsupported };
}

/** A key that cannot be used does not stand in the way of the others, where there are others. */
async function matchKeys(
  bags: readonly KeyBag[],
  owners: Owners,
  session: Session,
): Promise<{ matches: Match[]; unsupported: UnsupportedKey[] }> {
  const matches = new Map<FileCertificate, Match>();
  const usable: KeyBag[] = [];
  const withoutCertificate: KeyBag[] = [];
  const unsupported: UnsupportedKey[] = [];
  const failed = ({ friendlyName: label, keyId }: KeyBag, error: unknown) => {
    if (!(error instanceof MtlsError) || error.code !== 'ERR_P12_UNSUPPORTED') throw error;
    const named = { ...(label !== undefined && { label }), ...(keyId !== undefined && { keyId }) };
    unsupported.push({ ...named, error });
  };
  for (const bag of bags) {
    await session.work.turn();
    try {
      const found = await matchKey(bag, owners, session);
      usable.push(bag);
      for (const match of found) if (!matches.has(match.certificate)) matches.set(match.certificate, match);
      if (found.length === 0) withoutCertificate.push(bag);
    } catch (error) {
      failed(bag, error);
    }
  }
  const [first] = unsupported;
  if (first && usable.length === 0) throw first.error;
  for (const bag of withoutCertificate) refuseStranger(bag, owners);
  return { matches: [...matches.values()], unsupported };
}

/** Repeated certificates, which the JDK writes for each entry, count once. */
async function readCertificates(
  bags: readonly CertificateBag[],
  { engine, work }: Session,
): Promise<FileCertificate[]> {
  const byFingerprint = new Map<string, FileCertificate>();
  for (const { der, ...attributes } of bags) {
    await work.turn();
    let read: FileCertificate;
    try {
      // Without what some writers leave behind it.
      read = engine.readCertificate(firstElement(der));
    } catch (cause) {
      throw damaged('one of its certificates cannot be read', cause);
    }
    const { fingerprint } = read.certificate;
    byFingerprint.set(fingerprint, { ...read, ...attributes, ...byFingerprint.get(fingerprint) });
  }
  return [...byFingerprint.values()];
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
