import { formatHostPort, type HostPort } from '../../util/host-port.js';
import type { JournalRecord } from './schema.js';

/** A use of an identity. */
export interface JournalEntry {
  /** When the identity was used. Further uses with the same host within a minute are not listed. */
  at: Date;
  /** The server, as `host:port`, with brackets around an IPv6 address. */
  host: string;
}

/** Older entries make room for new ones. */
const MAX_ENTRIES = 100;
/** Uses with the same host within this time are one entry, at its beginning. */
const SAME_USE_MS = 60_000;

/** @internal */
export function withEntry(journal: JournalRecord, target: HostPort, at: Date): JournalRecord | undefined {
  const host = formatHostPort(target);
  const again = journal.entries.some(
    it => it.host === host && Math.abs(at.getTime() - it.at.getTime()) < SAME_USE_MS,
  );
  if (again) return undefined;
  return { ...journal, entries: [...journal.entries, { at, host }].slice(-MAX_ENTRIES) };
}
