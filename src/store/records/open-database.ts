import { type IDBPDatabase, openDB } from 'idb';
import { storeError, unavailable } from '../errors.js';
import { SCHEMA_VERSION, type StoreSchema, upgrade } from './schema.js';

/** Another tab's older version lets go at once, unless it is suspended. */
const BLOCKED_TIMEOUT_MS = 5_000;

/**
 * @param onLost the browser has closed the database by itself, because the person cleared the site's data, say
 * @throws MtlsError ERR_STORE_UNAVAILABLE, ERR_STORE_QUOTA
 */
export async function openDatabase(name: string, onLost: () => void): Promise<IDBPDatabase<StoreSchema>> {
  if (!hasIndexedDb()) throw unavailable('There is no IndexedDB here.');
  let giveUp: (reason: unknown) => void = () => {};
  const blockedTooLong = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const opening = openDB<StoreSchema>(name, SCHEMA_VERSION, {
    upgrade: (database, fromVersion, _to, transaction) => upgrade(database, fromVersion, transaction),
    blocked() {
      timer = setTimeout(() => {
        giveUp(unavailable('Another tab holds an older version of the keychain open: close it.'));
        // Should it open after all, nobody would close it.
        opening.then(late => late.close()).catch(() => {});
      }, BLOCKED_TIMEOUT_MS);
    },
    // A newer version of the page wants to upgrade: this one stands back, and its later calls say so.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    terminated: onLost,
  });
  try {
    return await Promise.race([opening, blockedTooLong]);
  } catch (error) {
    throw storeError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** In a sandboxed frame even looking at it throws. */
function hasIndexedDb(): boolean {
  try {
    return Boolean(globalThis.indexedDB);
  } catch {
    return false;
  }
}
