// The identities' records in the database: each change is one transaction over all that it concerns.
import type { IDBPDatabase, IDBPTransaction, StoreNames } from 'idb';
import { MtlsError } from '../errors.js';
import { storeError } from './errors.js';
import { openDatabase } from './open-database.js';
import { type IdentityRecord, isReadable, type StoreSchema } from './schema.js';

/** An identity in the store that cannot be read. */
export interface UnreadableIdentity {
  id: string;
  /** ERR_STORE_RECORD */
  error: MtlsError;
}

type Transaction = IDBPTransaction<StoreSchema, StoreNames<StoreSchema>[], 'readwrite'>;

const STORES: StoreNames<StoreSchema>[] = ['identities', 'journal', 'enrolments', 'state'];

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

  /** Every record: one that cannot be read does not stand in the way of the others. */
  all(): Promise<{ readable: IdentityRecord[]; unreadable: UnreadableIdentity[] }> {
    return this.read(async database => {
      const readable: IdentityRecord[] = [];
      const unreadable: UnreadableIdentity[] = [];
      const sort = async (id: string, value: Promise<unknown>) => {
        try {
          readable.push(checked(id, await readValue(id, value)));
        } catch (error) {
          if (!(error instanceof MtlsError)) throw error;
          // One that another tab has deleted meanwhile is neither.
          if (error.code === 'ERR_STORE_RECORD') unreadable.push({ id, error });
        }
      };
      const keys = await database.getAllKeys('identities');
      await Promise.all(keys.map(id => sort(id, database.get('identities', id))));
      readable.sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
      return { readable, unreadable };
    });
  }

  close(): void {
    this.#database.then(database => database.close()).catch(() => {});
  }
}

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
  if (!isReadable(value)) throw unreadableRecord(id);
  return value;
}

export function notFound(): MtlsError {
  return new MtlsError('ERR_IDENTITY_NOT_FOUND', 'There is no such identity.');
}

function unreadableRecord(id: string, cause?: unknown): MtlsError {
  const message = `The record of the identity ${id} cannot be read: delete it by its id, and import it again.`;
  return new MtlsError('ERR_STORE_RECORD', message, { cause });
}

function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // It has aborted by itself.
  }
}
