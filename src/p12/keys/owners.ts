import type { ReadCertificate } from '../../identity/certificates/certificate-reader.js';
import { plainPublicKey } from '../../identity/keys/public-key.js';
import { schemesForKey } from '../../identity/signatures/signature-schemes.js';
import { toBase64 } from '../../util/encoding.js';
import { grouped } from '../../util/lists.js';
import type { ImportBudget } from '../budget/import-budget.js';
import { damaged, unsupported } from '../errors.js';
import type { KeyBag } from '../structure/bags.js';

/** A certificate of the file, with what the file says about it. */
export interface FileCertificate extends ReadCertificate {
  friendlyName?: string;
  keyId?: string;
}

/** Of any size: what the smallest one signs with, all others do. */
export const RSA = 'RSA-512';

/** The certificates of one public key: one signature tells for all of them. */
export interface Owner {
  /** In plain form. */
  spki: Uint8Array<ArrayBuffer>;
  /** What WebCrypto has to know before it reads the private key. */
  kind: string;
  modulusBits: number | undefined;
  certificates: FileCertificate[];
  /** Whether a private key of the file is its own. */
  matched: boolean;
  /** Whether WebCrypto did not read it. */
  unread: boolean;
  /** The public key, by the code of the scheme that it was imported for. */
  imported: Map<number, Promise<CryptoKey>>;
}

/** The certificates of a file by their public keys, to find those of a private key. */
export class Owners {
  readonly #byPublicKey: Map<string, Owner>;
  readonly #byKeyId: Map<string, Owner[]>;

  static async of(
    certificates: readonly FileCertificate[],
    { budget }: { budget: ImportBudget },
  ): Promise<Owners> {
    const plain: PlainCertificate[] = [];
    for (const certificate of certificates) {
      await budget.turn();
      plain.push({ certificate, spki: plainPublicKey(certificate.spki) });
    }
    return new Owners(plain);
  }

  private constructor(plain: readonly PlainCertificate[]) {
    const groups = grouped(plain, ({ spki }) => toBase64(spki));
    this.#byPublicKey = new Map(Array.from(groups, ([key, group]) => [key, ownerOf(group)]));
    const claims = [...this.#byPublicKey.values()].flatMap(owner => {
      const keyIds = new Set(owner.certificates.map(it => it.keyId));
      return Array.from(keyIds, keyId => (keyId === undefined ? [] : [{ keyId, owner }])).flat();
    });
    const claimed = grouped(claims, it => it.keyId);
    this.#byKeyId = new Map(Array.from(claimed, ([keyId, them]) => [keyId, them.map(it => it.owner)]));
  }

  withPublicKey(spki: Uint8Array<ArrayBuffer>): Owner | undefined {
    return this.#byPublicKey.get(toBase64(spki));
  }

  /** Those that the file itself calls the key's, which may be a mistake. */
  claimedBy({ keyId }: KeyBag): Owner[] {
    return keyId === undefined ? [] : (this.#byKeyId.get(keyId) ?? []);
  }

  /** All of them, the likelier ones first. */
  inOrderFor(bag: KeyBag): Owner[] {
    const all = [...this.#byPublicKey.values()].sort((a, b) => Number(a.matched) - Number(b.matched));
    return [...new Set([...this.claimedBy(bag), ...all])];
  }
}

interface PlainCertificate {
  certificate: FileCertificate;
  /** In plain form. */
  spki: Uint8Array<ArrayBuffer>;
}

function ownerOf(group: readonly PlainCertificate[]): Owner {
  const certificates = group.map(it => it.certificate);
  const keyAlgorithm = certificates[0]?.certificate.keyAlgorithm ?? '';
  const [, bits] = /^RSA.*-(\d+)$/.exec(keyAlgorithm) ?? [];
  return {
    spki: group[0]?.spki ?? new Uint8Array(),
    kind: bits === undefined ? keyAlgorithm : RSA,
    modulusBits: bits === undefined ? undefined : Number(bits),
    certificates,
    matched: false,
    unread: false,
    imported: new Map(),
  };
}

/**
 * Refuses a key that belongs to none of the certificates, although the file names some as its own.
 *
 * @throws MtlsError ERR_P12_UNSUPPORTED, ERR_P12_MALFORMED
 */
export function refuseStranger(bag: KeyBag, owners: Owners): void {
  const claimed = owners.claimedBy(bag);
  const strange = claimed.find(it => it.unread || schemesForKey(it.kind).length === 0);
  const keyAlgorithm = strange?.certificates[0]?.certificate.keyAlgorithm;
  if (strange?.unread)
    throw unsupported(
      `a certificate with a key (${keyAlgorithm}) that this browser's WebCrypto does not read`,
    );
  if (strange) throw unsupported(`a certificate with a key of the kind ${keyAlgorithm}`);
  if (claimed.length > 0 && claimed.every(it => !it.matched))
    throw damaged('a private key does not belong to its certificate');
}
