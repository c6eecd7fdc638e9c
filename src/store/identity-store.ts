import type { IDBPDatabase, IDBPObjectStore } from 'idb';
import { MtlsError } from '../errors.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import { checkedControls, checkKeys } from './controls.js';
import { storeError } from './errors.js';
import { openDatabase } from './open-database.js';
import { compileQuery, type IdentityQuery } from './query.js';
import { fromRecord, type IdentityRecord, type StoreSchema, toRecord } from './schema.js';

export type { IdentityQuery } from './query.js';

type Records = IDBPObjectStore<StoreSchema, ['identities'], 'identities', 'readwrite'>;

const DEFAULT_NAME = 'browser-mtls';

/**
 * The keychain of an origin: identities in IndexedDB, their keys as CryptoKeys that cannot be exported.
 *
 * Each change is one transaction. Every method rejects with ERR_STORE_UNAVAILABLE when the browser refuses storage, when
 * the store was closed, or when a newer version of the page has taken it over.
 */
export class IdentityStore {
  #database: IDBPDatabase<StoreSchema>;

  /**
   * Opens the store, and makes it where there is none.
   *
   * @param options `name`: of the IndexedDB database, default `browser-mtls`
   * @throws MtlsError ERR_STORE_UNAVAILABLE, ERR_STORE_QUOTA
   */
  static async open({ name = DEFAULT_NAME }: { name?: string } = {}): Promise<IdentityStore> {
    return new IdentityStore(await openDatabase(name));
  }

  private constructor(database: IDBPDatabase<StoreSchema>) {
    this.#database = database;
  }

  /**
   * Keeps an identity.
   *
   * @param controls `label` defaults to the identity's own; without `hosts` it is sent nowhere unless a challenge handler
   *   names it
   * @throws MtlsError ERR_IDENTITY_DUPLICATE when its certificate is there already, ERR_STORE_QUOTA
   * @throws TypeError for keys that can be exported, and for a control or host pattern that is not one
   */
  async add(identity: Identity, controls: IdentityControls = {}): Promise<StoredIdentity> {
    checkKeys(identity);
    const label = controls.label ?? identity.label;
    const checked = checkedControls({ ...controls, ...(label !== undefined && { label }) });
    const record = toRecord(identity, checked);
    return this.#change(async records => {
      if ((await records.index('fingerprint').getKey(record.fingerprint)) !== undefined)
        throw new MtlsError('ERR_IDENTITY_DUPLICATE', 'An identity with this certificate is stored already.');
      await records.add(record);
      return fromRecord(record);
    });
  }

  /** The identities that a query holds for, oldest first; without a query all of them. */
  async find(query: IdentityQuery = {}): Promise<StoredIdentity[]> {
    const matches = compileQuery(query);
    try {
      const records = await this.#database.getAll('identities');
      return records
        .map(fromRecord)
        .filter(matches)
        .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * Changes the controls that are named in `change`.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_STORE_QUOTA
   * @throws TypeError for a control or host pattern that is not one
   */
  async update(id: string, change: Partial<IdentityControls>): Promise<StoredIdentity> {
    const checked = checkedControls(change);
    return this.#change(async records => {
      const record = await records.get(id);
      if (!record) throw new MtlsError('ERR_IDENTITY_NOT_FOUND', 'There is no such identity.');
      return put(records, { ...record, controls: { ...record.controls, ...checked } });
    });
  }

  /** Notes that an identity was used. One that is gone is no error: the use came first. */
  async markUsed(id: string, at: Date = new Date()): Promise<void> {
    await this.#change(async records => {
      const record = await records.get(id);
      if (record) await put(records, { ...record, lastUsedAt: at });
    });
  }

  /**
   * Deletes the identities that a query holds for, and says how many they were.
   *
   * @throws TypeError for an empty query: to delete all, delete each by its id
   */
  async delete(query: IdentityQuery): Promise<number> {
    const matches = compileQuery(query);
    if (Object.keys(query).length === 0) throw new TypeError('an empty query would delete every identity');
    return this.#change(async records => {
      const doomed = (await records.getAll()).filter(record => matches(fromRecord(record)));
      for (const { id } of doomed) await records.delete(id);
      return doomed.length;
    });
  }

  close(): void {
    this.#database.close();
  }

  /** All or nothing. */
  async #change<T>(act: (records: Records) => Promise<T>): Promise<T> {
    try {
      const transaction = this.#database.transaction('identities', 'readwrite');
      try {
        const result = await act(transaction.store);
        await transaction.done;
        return result;
      } catch (error) {
        abort(transaction);
        await transaction.done.catch(() => {});
        throw error;
      }
    } catch (error) {
      throw storeError(error);
    }
  }
}

async function put(records: Records, record: IdentityRecord): Promise<StoredIdentity> {
  await records.put(record);
  return fromRecord(record);
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has aborted by itself.
  }
}
