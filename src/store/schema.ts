import type { DBSchema, IDBPDatabase } from 'idb';
import type {
  Certificate,
  Identity,
  IdentityControls,
  StoredIdentity,
  TrustResult,
} from '../identity/types.js';

/** An identity at rest. No secret is in it but the CryptoKeys, which cannot be exported. */
export interface IdentityRecord {
  id: string;
  /** Of the identity's own certificate; unique. */
  fingerprint: string;
  keyId?: string;
  chain: Certificate[];
  keys: CryptoKey[];
  trust: Omit<TrustResult, 'chain'>;
  controls: IdentityControls;
  createdAt: Date;
  lastUsedAt?: Date;
}

export interface StoreSchema extends DBSchema {
  identities: { key: string; value: IdentityRecord; indexes: { fingerprint: string } };
}

/** Step n brings a store from version n to n + 1. Steps are only ever added, never changed. */
const upgrades: ((database: IDBPDatabase<StoreSchema>) => void)[] = [
  database => {
    const identities = database.createObjectStore('identities', { keyPath: 'id' });
    identities.createIndex('fingerprint', 'fingerprint', { unique: true });
  },
];

export const SCHEMA_VERSION = upgrades.length;

export function upgrade(database: IDBPDatabase<StoreSchema>, fromVersion: number): void {
  for (const step of upgrades.slice(fromVersion)) step(database);
}

export function toRecord(identity: Identity, controls: IdentityControls): IdentityRecord {
  const { certificate, chain, keys, keyId, trust } = identity;
  const { chain: _, ...judgement } = trust;
  return {
    id: crypto.randomUUID(),
    fingerprint: certificate.fingerprint,
    ...(keyId !== undefined && { keyId }),
    chain: [certificate, ...chain.slice(1)],
    keys,
    trust: judgement,
    controls,
    createdAt: new Date(),
  };
}

export function fromRecord(record: IdentityRecord): StoredIdentity {
  const { id, keyId, chain, keys, trust, controls, createdAt, lastUsedAt } = record;
  return {
    id,
    ...(controls.label !== undefined && { label: controls.label }),
    ...(keyId !== undefined && { keyId }),
    certificate: chain[0] as Certificate,
    chain,
    keys,
    trust: { ...trust, chain },
    controls,
    createdAt,
    ...(lastUsedAt && { lastUsedAt }),
  };
}
