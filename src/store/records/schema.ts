import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import type {
  Certificate,
  Identity,
  IdentityControls,
  StoredIdentity,
  TrustResult,
} from '../../identity/types.js';
import type { WrappedKey } from '../verification/wrapped-key.js';

/** An identity at rest. No secret is in it but CryptoKeys that cannot be exported, or a wrapped key. */
export interface IdentityRecord {
  id: string;
  /** Of the identity's own certificate; unique. */
  fingerprint: string;
  keyId?: string;
  chain: Certificate[];
  /** As `Identity` has it; records of earlier versions have none. */
  otherChains?: Certificate[][];
  /** Empty when there is a wrapped key. */
  keys: CryptoKey[];
  wrapped?: WrappedKey;
  trust: Omit<TrustResult, 'chain'>;
  controls: IdentityControls;
  /** The browsing session that it belongs to, with `persistence: 'session'`. */
  session?: string;
  createdAt: Date;
  lastUsedAt?: Date;
  unlockedAt?: Date;
  /** Set by `lock` until `unlock`. */
  lockedAt?: Date;
}

/** When an identity was used, and with which `host:port`; oldest first. */
export interface JournalRecord {
  id: string;
  entries: { at: Date; host: string }[];
}

/** A key pair that waits for its certificate. */
export interface EnrolmentRecord {
  id: string;
  /** PKCS#10, DER. */
  request: Uint8Array<ArrayBuffer>;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array<ArrayBuffer>;
  subject: string;
  keys: CryptoKey[];
  wrapped?: WrappedKey;
  controls: IdentityControls;
  createdAt: Date;
}

/** What a person answered for good to a host (`MtlsClient.forget` takes it back). No secret is in it. */
export type AnswerRecord = {
  key: string;
  /** `host:port` */
  host: string;
  givenAt: Date;
} & (
  | {
      method: 'client-certificate';
      identityId: string;
      /** Whether the identity's `hosts` allowed it when it was chosen: then they have to go on doing so. */
      wasAllowed: boolean;
      /** Certificates sent after the identity's chain, DER. */
      intermediates: Uint8Array[];
    }
  | {
      method: 'server-trust';
      /** Of the server's certificate, SHA-256, lower-case hex. */
      fingerprint: string;
      /** What verification said when the server was trusted all the same; absent: nothing. */
      code?: string;
    }
);

export interface StoreSchema extends DBSchema {
  identities: { key: string; value: IdentityRecord; indexes: { fingerprint: string; session: string } };
  journal: { key: string; value: JournalRecord };
  enrolments: { key: string; value: EnrolmentRecord };
  /** `session`: the id of the browsing session that the tabs of this origin share. */
  state: { key: 'session'; value: string };
  answers: { key: string; value: AnswerRecord; indexes: { host: string; identity: string } };
}

type UpgradeTransaction = IDBPTransaction<StoreSchema, StoreNames<StoreSchema>[], 'versionchange'>;

/** Step n brings a store from version n to n + 1. Steps are only ever added, never changed. */
const upgrades: ((database: IDBPDatabase<StoreSchema>, transaction: UpgradeTransaction) => void)[] = [
  database => {
    const identities = database.createObjectStore('identities', { keyPath: 'id' });
    identities.createIndex('fingerprint', 'fingerprint', { unique: true });
  },
  (database, transaction) => {
    transaction.objectStore('identities').createIndex('session', 'session');
    database.createObjectStore('journal', { keyPath: 'id' });
    database.createObjectStore('enrolments', { keyPath: 'id' });
    database.createObjectStore('state');
  },
  database => {
    const answers = database.createObjectStore('answers', { keyPath: 'key' });
    answers.createIndex('host', 'host');
    answers.createIndex('identity', 'identityId');
  },
];

export const SCHEMA_VERSION = upgrades.length;

export function upgrade(
  database: IDBPDatabase<StoreSchema>,
  fromVersion: number,
  transaction: UpgradeTransaction,
): void {
  for (const step of upgrades.slice(fromVersion)) step(database, transaction);
}

type Chains = Pick<Identity, 'chain' | 'otherChains'>;

/** A new record of an identity; `keys` are those of the identity, unless a wrapped key takes their place. */
export function toRecord(
  identity: Identity,
  { id, controls, wrapped }: { id: string; controls: IdentityControls; wrapped?: WrappedKey | undefined },
): IdentityRecord {
  const { certificate, chain, otherChains, keys, keyId, trust } = identity;
  const { chain: _, ...judgement } = trust;
  return {
    id,
    fingerprint: certificate.fingerprint,
    ...(keyId !== undefined && { keyId }),
    ...ownChains({ chain: [certificate, ...chain.slice(1)], ...(otherChains && { otherChains }) }),
    keys: wrapped ? [] : keys,
    ...(wrapped && { wrapped }),
    trust: judgement,
    controls,
    createdAt: new Date(),
  };
}

/**
 * The chains with an object of their own for the identity's certificate: the way to the keys goes by it, and the same identity may be
 * in other stores, or be used without any.
 */
export function ownChains({ chain, otherChains }: Chains): Chains {
  const [certificate, ...issuers] = chain;
  if (!certificate) return { chain: [] };
  const own = { ...certificate };
  return {
    chain: [own, ...issuers],
    ...(otherChains && { otherChains: otherChains.map(([, ...issuers]) => [own, ...issuers]) }),
  };
}

export function present(record: IdentityRecord, locked: boolean): StoredIdentity {
  const { id, keyId, chain, otherChains, keys, trust, controls, createdAt, lastUsedAt } = record;
  return {
    id,
    ...(controls.label !== undefined && { label: controls.label }),
    ...(keyId !== undefined && { keyId }),
    certificate: chain[0] as Certificate,
    chain,
    ...(otherChains && { otherChains }),
    keys,
    trust: { ...trust, chain },
    controls,
    createdAt,
    ...(lastUsedAt && { lastUsedAt }),
    locked,
  };
}
