/** A server as it was judged. */
export interface SeenServer {
  /** SHA-256 of its certificate, lower-case hex. */
  fingerprint: string;
  /** The failure's code; undefined: verification passed. */
  code: string | undefined;
}

/** The answer about a server. */
export interface ServerVerdict {
  trust: 'as-verified' | 'trust';
  /** Only for the connections that were waiting for it: no session made with it is resumed. */
  once?: boolean;
  /** The server, where it is trusted by an answer that is stored for good. */
  stored?: SeenServer;
}
