/**
 * WebSocket close codes of the format: the end of the socket with all of its streams. `docs/tunnel.md` says when each is sent.
 *
 * Besides these, the relay uses those of RFC 6455 section 7.4.1 for a malformed WebSocket.
 */
export const CloseCode = {
  done: 1000,
  shutdown: 1001,
  givenUp: 4000,
  protocol: 4001,
  helloTimeout: 4002,
  origin: 4010,
  token: 4011,
  limit: 4013,
  expired: 4014,
  unavailable: 4015,
  idle: 4030,
  lifetime: 4031,
} as const;

/** The close reason that goes with `CloseCode.limit`. */
export type SocketLimit =
  | 'connections'
  | 'connections-per-address'
  | 'connections-per-subject'
  | 'attempts'
  | 'memory';

/** Codes of RESET: the end of one stream. */
export const ResetCode = {
  givenUp: 0,
  denied: 1,
  unreachable: 2,
  limit: 3,
  targetReset: 4,
  idle: 5,
  notTls: 6,
} as const;

export type ResetCodeNumber = (typeof ResetCode)[keyof typeof ResetCode];

/** The reason that goes with `ResetCode.unreachable`. */
export type UnreachableReason = 'refused' | 'dns' | 'timeout' | 'network';

/** The reason that goes with `ResetCode.limit`. */
export type StreamLimit =
  | 'streams'
  | 'streams-in-all'
  | 'streams-per-address'
  | 'streams-per-subject'
  | 'stream-rate'
  | 'stream-rate-per-address'
  | 'memory'
  | 'lookups';
