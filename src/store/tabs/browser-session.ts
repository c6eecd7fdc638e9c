// A session is the time while some tab of the origin has the store open. No event tells of its end: a tab that opens the store
// finds out that it is alone, and then what belonged to the session before is over.

import { unavailable } from '../errors.js';

/** Whoever reloads the last tab has it back within this time. */
const RELOAD_GRACE_MS = 30_000;

/** Joining takes milliseconds; a tab that is suspended meanwhile, or a script that holds the locks, takes for ever. */
const LOCK_TIMEOUT_MS = 10_000;

/** UUIDs are shorter. */
const MAX_SESSION_ID_LENGTH = 100;

/** In sessionStorage, which outlives a reload and ends with its tab. Not a secret. */
interface Marker {
  session: string;
  /** When the page was last known to be there. */
  at: number;
}

/** How the store keeps its session. */
interface SessionHost {
  readSession(): Promise<unknown>;
  /** Begins a session, and deletes the identities of every other one. */
  beginSession(session: string): Promise<void>;
}

export interface BrowserSession {
  id: string;
  leave(): void;
}

/**
 * Joins the session of the tabs that are there, or begins one; undefined where the browser has no Web Locks.
 *
 * @throws MtlsError ERR_STORE_UNAVAILABLE when another tab does not let go of the locks
 */
export async function joinSession(storeName: string, host: SessionHost): Promise<BrowserSession | undefined> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return undefined;
  const name = `browser-mtls:${storeName}`;
  const patience = AbortSignal.timeout(LOCK_TIMEOUT_MS);
  const join = async () => {
    await locks.request(`${name}:tabs`, { ifAvailable: true }, async alone => {
      if (alone) await host.beginSession(reloadedSession(name) ?? crypto.randomUUID());
    });
    const leave = await holdShared(locks, `${name}:tabs`, patience);
    const session = await host.readSession();
    return mark(name, { id: isSessionId(session) ? session : crypto.randomUUID(), leave });
  };
  try {
    // One tab at a time, so that none finds itself alone while another one comes in.
    return await locks.request(`${name}:joining`, { signal: patience }, join);
  } catch (cause) {
    if (cause !== patience.reason) throw cause;
    throw unavailable('Another tab does not let this one open the keychain: close it.', cause);
  }
}

/** Holds a shared lock as long as the page lives, or until it is left. */
function holdShared(locks: LockManager, name: string, signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const held = () => new Promise<void>(release => resolve(release));
    locks.request(name, { mode: 'shared', signal }, held).catch(reject);
  });
}

/** Keeps the marker up to date: at the end of the page, and until then for a page that ends without a word. */
function mark(name: string, { id, leave }: BrowserSession): BrowserSession {
  const write = () => writeMarker(name, { session: id, at: Date.now() });
  write();
  globalThis.addEventListener?.('pagehide', write);
  return {
    id,
    leave() {
      globalThis.removeEventListener?.('pagehide', write);
      write();
      leave();
    },
  };
}

function reloadedSession(name: string): string | undefined {
  try {
    const { session, at } = JSON.parse(sessionStorage.getItem(name) ?? '{}') as Partial<Marker>;
    const recent = typeof at === 'number' && Math.abs(Date.now() - at) < RELOAD_GRACE_MS;
    return recent && isSessionId(session) ? session : undefined;
  } catch {
    // Refused, or not there: in workers it is not.
    return undefined;
  }
}

function writeMarker(name: string, marker: Marker): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(marker));
  } catch {
    // Without it a reload of the last tab ends the session: the safe side.
  }
}

/** A session's id, as tabs share it. */
export function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_SESSION_ID_LENGTH;
}
