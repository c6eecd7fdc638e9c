const MAX_LOGGED_CHARACTERS = 256;

/** A client's own words, fit for a line of a log: no control characters, and a bounded length. */
export function loggable(text: string): string {
  return text.slice(0, MAX_LOGGED_CHARACTERS).replace(/[^\x20-\x7e]/g, '?');
}

/** What kept somebody out before anything was known about them. */
export type DoorLimit = 'unproven' | 'connection-rate' | 'proxy-header';

/**
 * What the relay tells its log. `connection` numbers the WebSockets of one relay from 1, `stream` is the page's number of a stream; nothing here holds payload or tokens.
 * What a client chose is cut at 256 characters.
 */
export type RelayEvent =
  /** A WebSocket has been opened. */
  | { type: 'opened'; connection: number; remoteAddress: string; origin?: string }
  /** Its HELLO was accepted; `subject` is the name of its token, where one is asked for. */
  | { type: 'admitted'; connection: number; subject?: string }
  /** The TCP connection to a stream's target stands. */
  | { type: 'stream-opened'; connection: number; stream: number; target: string; durationMs: number }
  /** A stream is over: orderly, unless there are `code` and `reason`, those of RESET (`docs/tunnel.md`). */
  | {
      type: 'stream-closed';
      connection: number;
      stream: number;
      /** Absent when the relay does not allow it. */
      target?: string;
      /** The target that was refused. */
      denied?: string;
      code?: number;
      reason?: string;
      bytesFromPage: number;
      bytesFromTarget: number;
      durationMs: number;
    }
  /** The WebSocket is over; `code` and `reason` are those of its close (`docs/tunnel.md`). */
  | {
      type: 'closed';
      connection: number;
      code: number;
      reason: string;
      /** How many there have been; bytes are those of all of them. */
      streams: number;
      bytesFromPage: number;
      bytesFromTarget: number;
      durationMs: number;
    }
  /**
   * Connections were dropped that had shown nothing yet, in the last second: for newer ones (`unproven`), because their address opens
   * too many (`connection-rate`), or because a trusted proxy's header cannot be read (`proxy-header`). `remoteAddress` is the last one's.
   */
  | { type: 'dropped'; limit: DoorLimit; count: number; remoteAddress: string }
  /** A setting leaves a way in open; told at the start. */
  | { type: 'warning'; message: string }
  /** Something failed that the relay could do without, such as a malformed WebSocket frame. */
  | { type: 'error'; connection?: number; message: string };
