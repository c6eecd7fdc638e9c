import { MtlsError } from '../../errors.js';
import type { CertificateReader } from '../../identity/certificates/certificate-reader.js';
import type { Certificate, StoredIdentity } from '../../identity/types.js';
import type { AnswerRecord } from '../../store/records/schema.js';
import { formatHostPort, type HostPort } from '../../util/host-port.js';
import type { RememberedAnswer } from '../challenge.js';
import type { Candidates } from '../choice/candidates.js';
import type { Choice, ChosenIdentity } from '../choice/choice.js';
import type { KnownIdentities } from '../choice/known-identities.js';
import type { SeenServer } from './server-verdict.js';

/** Where answers are stored for good. */
export interface AnswerStore {
  /** @param host `host:port` */
  of(host: string): Promise<AnswerRecord[]>;
  all(): Promise<AnswerRecord[]>;
  put(record: AnswerRecord): Promise<void>;
  delete(matches: (record: AnswerRecord) => boolean): Promise<void>;
}

/** The answers given with `persistence: 'permanent'`. Without a store there are none. */
export class StoredAnswers {
  #store: AnswerStore | undefined;
  #reader: CertificateReader;

  constructor(store: AnswerStore | undefined, reader: CertificateReader) {
    this.#store = store;
    this.#reader = reader;
  }

  /** Names the answers for a host: the names change when an answer is stored or forgotten, here or in another tab. */
  async keys(target: HostPort): Promise<string[]> {
    return (await this.#of(target)).map(({ key, givenAt }) => `${key} ${givenAt.getTime()}`).sort();
  }

  /** Undefined when there is no answer, or one whose identity is gone or is no good for the host any more. */
  async choice(
    target: HostPort,
    { all, allowed }: KnownIdentities,
    { unfit }: Candidates,
  ): Promise<Choice | undefined> {
    for (const record of await this.#of(target)) {
      if (record.method !== 'client-certificate') continue;
      const { identityId, wasAllowed } = record;
      const identity = (wasAllowed ? allowed : all).find(({ id }) => id === identityId);
      const reason = unfit.find(it => it.identity.id === identityId);
      if (!identity || (reason && !(reason.selectable && !isOver(identity)))) continue;
      const intermediates = this.#read(record.intermediates);
      if (intermediates) return { identity, intermediates, wasAllowed };
    }
    return undefined;
  }

  /** Undefined when the record is damaged: then there is no answer. */
  #read(certificates: readonly Uint8Array[]): Certificate[] | undefined {
    try {
      return certificates.map(der => this.#reader.describe(der));
    } catch (error) {
      if (error instanceof MtlsError && error.code === 'ERR_CERT_MALFORMED') return undefined;
      throw error;
    }
  }

  async trusts(target: HostPort, seen: SeenServer): Promise<boolean> {
    return (await this.#of(target)).some(
      it => it.method === 'server-trust' && it.fingerprint === seen.fingerprint && it.code === seen.code,
    );
  }

  /** Returns whether it was stored: an answer with an identity that the store does not have is not. */
  async storeChoice(
    target: HostPort,
    { identity, wasAllowed, intermediates = [] }: ChosenIdentity,
  ): Promise<boolean> {
    if (wasAllowed === undefined) return false;
    const method = 'client-certificate';
    return this.#put(target, {
      key: JSON.stringify([method, formatHostPort(target)]),
      method,
      identityId: identity.id,
      wasAllowed,
      intermediates: intermediates.map(({ der }) => der),
    });
  }

  /** Returns whether it was stored. */
  storeTrust(target: HostPort, { fingerprint, code }: SeenServer): Promise<boolean> {
    const method = 'server-trust';
    return this.#put(target, {
      key: JSON.stringify([method, formatHostPort(target), fingerprint, code]),
      method,
      fingerprint,
      ...(code !== undefined && { code }),
    });
  }

  async list(identities: readonly StoredIdentity[]): Promise<RememberedAnswer[]> {
    const records = (await this.#store?.all()) ?? [];
    return records.flatMap((record): RememberedAnswer[] => {
      const { host, method } = record;
      const common = { method, host, persistence: 'permanent' as const };
      if (record.method === 'server-trust') return [{ ...common, fingerprint: record.fingerprint }];
      const identity = identities.find(({ id }) => id === record.identityId);
      return identity ? [{ ...common, identity }] : [];
    });
  }

  async forget(matches: (target: HostPort) => boolean): Promise<void> {
    await this.#store?.delete(({ host }) => matches(targetOf(host)));
  }

  async #of(target: HostPort): Promise<AnswerRecord[]> {
    return (await this.#store?.of(formatHostPort(target))) ?? [];
  }

  /** A browser without room for the answer does not fail the connection: the answer then holds for the session. */
  async #put(target: HostPort, answer: Unplaced<AnswerRecord>): Promise<boolean> {
    if (!this.#store) return false;
    try {
      await this.#store.put({ ...answer, host: formatHostPort(target), givenAt: new Date() });
      return true;
    } catch {
      return false;
    }
  }
}

/** Distributes over the kinds of answers. */
type Unplaced<T> = T extends unknown ? Omit<T, 'host' | 'givenAt'> : never;

function isOver({ certificate: { notAfter } }: StoredIdentity): boolean {
  return Date.now() > notAfter.getTime();
}

function targetOf(host: string): HostPort {
  const colon = host.lastIndexOf(':');
  return { hostname: host.slice(0, colon), port: Number(host.slice(colon + 1)) };
}
