// The identities' records in the database: each change is one transaction over all that it concerns.
import type { IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { MtlsError } from '../../errors.js';
import { storeError } from '../errors.js';
import { openDatabase } from './open-database.js';
import { isReadableEnrolment, isReadableIdentity } from './readable.js';
import type { EnrolmentRecord, IdentityRecord, StoreSchema } from './schema.js';

/** An identity or a pending enrolment in the store that cannot be read. */
export interface UnreadableIdentity {
  /** The id in the store, for `IdentityStore.delete`. */
  id: string;
  /** The reason, with the code ERR_STORE_RECORD. */
  error: MtlsError;
}

/** What was read of a store. */
interface Sorted<T> {
  readable: T[];
  unreadable: UnreadableIdentity[];
}

/** @internal */
export type Transaction = IDBPTransaction<StoreSchema, StoreNames<StoreSchema>[], 'readwrite'>;

const STORES: StoreNames<StoreSchema>[] = ['identities', 'journal', 'enrolments', 'state', 'answers'];

/** @internal The database's types are no part of the package's. */
export class Records {
  #name: string;
  #database: Promise<IDBPDatabase<StoreSchema>>;

  static async open(name: string): Promise<Records> {
    const records = new Records(name);
    await records.#database;
    return records;
  }

  private constructor(name: string) {
    this.#name = name;
    this.#database = this.#open();
  }

  /** A database that the browser has closed is opened again: by the next call, and it may be empty then. */
  #open(): Promise<IDBPDatabase<StoreSchema>> {
    const opening = openDatabase(this.#name, () => {
      if (this.#database === opening) this.#database = this.#open();
      this.#database.catch(() => {});
    });
    return opening;
  }

  /** All or nothing. */
  async change<T>(act: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      const transaction = (await this.#database).transaction(STORES, 'readwrite');
      try {
        const result = await act(transaction);
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

  async read<T>(act: (database: IDBPDatabase<StoreSchema>) => Promise<T>): Promise<T> {
    try {
      return await act(await this.#database);
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * The record of an identity.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_STORE_RECORD
   */
  get(id: string): Promise<IdentityRecord> {
    return this.read(async database => checked(id, await readValue(id, database.get('identities', id))));
  }

  ids(): Promise<string[]> {
    return this.read(async database => {
      const transaction = database.transaction('identities');
      const [ids] = await Promise.all([transaction.store.getAllKeys(), transaction.done]);
      return ids;
    });
  }

  /** Every identity, oldest first. */
  async all(): Promise<Sorted<IdentityRecord>> {
    const sorted = await this.sorted('identities', isReadableIdentity);
    sorted.readable.sort(byAge);
    return sorted;
  }

  /** Every enrolment that waits for its certificate, oldest first. */
  async enrolments(): Promise<Sorted<EnrolmentRecord>> {
    const sorted = await this.sorted('enrolments', isReadableEnrolment);
    sorted.readable.sort(byAge);
    return sorted;
  }

  /**
   * The records of a store: one that cannot be read does not stand in the way of the others.
   *
   * @param find gives the keys; default: all of them
   */
  sorted<T>(
    name: 'identities' | 'enrolments' | 'answers',
    isReadable: (value: unknown) => value is T,
    find: (database: IDBPDatabase<StoreSchema>) => Promise<string[]> = it => it.getAllKeys(name),
  ): Promise<Sorted<T>> {
    return this.read(async database => {
      const sorted: Sorted<T> = { readable: [], unreadable: [] };
      const sort = async (id: string, asked: Promise<unknown>) => {
        try {
          const value = await readValue(id, asked);
          // One that another tab has deleted meanwhile is neither.
          if (value === undefined) return;
          if (!isReadable(value)) throw unreadableRecord(id);
          sorted.readable.push(value);
        } catch (error) {
          if (!(error instanceof MtlsError)) throw error;
          // Another program may have used other kinds of keys.
          sorted.unreadable.push({ id: `${id}`, error });
        }
      };
      await Promise.all((await find(database)).map(id => sort(id, database.get(name, id))));
      return sorted;
    });
  }

  /** @throws MtlsError ERR_IDENTITY_DUPLICATE */
  async assertNew(fingerprint: string): Promise<void> {
    const known = await this.read(it => it.getKeyFromIndex('identities', 'fingerprint', fingerprint));
    if (known !== undefined) throw duplicate();
  }

  /**
   * Adds an identity, in the place of its enrolment and of the identity that it renews.
   *
   * @throws MtlsError ERR_IDENTITY_DUPLICATE, ERR_IDENTITY_NOT_FOUND (there is no such enrolment any more)
   */
  async insert(
    record: IdentityRecord,
    { enrolment, replaces }: { enrolment?: string; replaces?: string | undefined },
  ): Promise<void> {
    await this.change(async transaction => {
      const identities = transaction.objectStore('identities');
      if (enrolment !== undefined) {
        const enrolments = transaction.objectStore('enrolments');
        if ((await enrolments.getKey(enrolment)) === undefined) throw notFound();
        await enrolments.delete(enrolment);
      }
      if (replaces !== undefined) {
        await moveAnswers(transaction, replaces, record.id);
        await deleteIdentity(transaction, replaces);
      }
      const holder = await identities.index('fingerprint').getKey(record.fingerprint);
      if (holder !== undefined) throw duplicate();
      await identities.add(record);
    });
  }

  /** @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_IDENTITY_DUPLICATE, ERR_STORE_RECORD */
  revise(id: string, revise: (record: IdentityRecord) => IdentityRecord): Promise<IdentityRecord> {
    return this.change(async transaction => {
      const identities = transaction.objectStore('identities');
      const revised = revise(checked(id, await readValue(id, identities.get(id))));
      const holder = await identities.index('fingerprint').getKey(revised.fingerprint);
      if (holder !== undefined && holder !== id) throw duplicate();
      await identities.put(revised);
      return revised;
    });
  }

  /** Revises every identity that can be read, in one transaction. */
  async reviseAll(revise: (record: IdentityRecord) => IdentityRecord): Promise<IdentityRecord[]> {
    const { readable } = await this.all();
    return this.change(async transaction => {
      const identities = transaction.objectStore('identities');
      const revised: IdentityRecord[] = [];
      for (const { id } of readable) {
        const record = await identities.get(id);
        // Another tab may have deleted it meanwhile.
        if (!record) continue;
        const changed = revise(record);
        await identities.put(changed);
        revised.push(changed);
      }
      return revised;
    });
  }

  /**
   * Deletes identities with all that is kept about them, and enrolments that cannot be read.
   *
   * @returns the ids of those that were still there
   */
  async delete(ids: readonly string[]): Promise<string[]> {
    return this.change(async transaction => {
      const identities = await transaction.objectStore('identities').getAllKeys();
      const enrolments = await transaction.objectStore('enrolments').getAllKeys();
      const doomed = [...identities, ...enrolments].filter(key => ids.includes(`${key}`));
      for (const key of doomed) await deleteIdentity(transaction, key);
      return doomed.map(key => `${key}`);
    });
  }

  /** Begins a session, and deletes what belongs to every other one. */
  async beginSession(session: string): Promise<void> {
    await this.change(async transaction => {
      const identities = transaction.objectStore('identities');
      // By the index, which gives no values: a record that cannot be read must not stand in the way.
      let cursor = await identities.index('session').openKeyCursor();
      for (; cursor; cursor = await cursor.continue()) {
        if (cursor.key === session) continue;
        await deleteIdentity(transaction, cursor.primaryKey);
      }
      await transaction.objectStore('state').put(session, 'session');
    });
  }

  close(): void {
    this.#database.then(database => database.close()).catch(() => {});
  }
}

/** A renewed identity is shown where the one before it was. */
async function moveAnswers(transaction: Transaction, from: string, to: string): Promise<void> {
  const answers = transaction.objectStore('answers');
  for (const record of await answers.index('identity').getAll(from)) {
    if (record.method === 'client-certificate') await answers.put({ ...record, identityId: to });
  }
}

/** With all that is kept about it. */
async function deleteIdentity(transaction: Transaction, id: string): Promise<void> {
  await transaction.objectStore('identities').delete(id);
  await transaction.objectStore('enrolments').delete(id);
  await transaction.objectStore('journal').delete(id);
  const answers = transaction.objectStore('answers');
  for (const key of await answers.index('identity').getAllKeys(id)) await answers.delete(key);
}

const byAge = (a: { createdAt: Date }, b: { createdAt: Date }) =>
  a.createdAt.getTime() - b.createdAt.getTime();

/** A browser that cannot make a value of what it has stored says so by one of these. */
const UNREADABLE = ['DataError', 'DataCloneError', 'UnknownError', 'NotReadableError', 'NotFoundError'];

async function readValue(id: string, value: Promise<unknown>): Promise<unknown> {
  try {
    return await value;
  } catch (cause) {
    if (cause instanceof DOMException && UNREADABLE.includes(cause.name)) throw unreadableRecord(id, cause);
    throw cause;
  }
}

function checked(id: string, value: unknown): IdentityRecord {
  if (value === undefined) throw notFound();
  if (!isReadableIdentity(value)) throw unreadableRecord(id);
  return value;
}

function notFound(): MtlsError {
  return new MtlsError('ERR_IDENTITY_NOT_FOUND', 'There is no such identity.');
}

function duplicate(): MtlsError {
  const message =
    'An identity with this certificate is stored already, and was left as it is: update it, or delete it first.';
  return new MtlsError('ERR_IDENTITY_DUPLICATE', message);
}

function unreadableRecord(id: string, cause?: unknown): MtlsError {
  const message = `The record of the identity ${id} cannot be read: delete it by its id, and import or enrol it again.`;
  return new MtlsError('ERR_STORE_RECORD', message, { cause });
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has aborted by itself.
  }
}
