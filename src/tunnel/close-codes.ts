/**
 * WebSocket close codes of the format; `docs/tunnel.md` says when each is sent.
 *
 * Besides these: 1000 when both directions have ended, 1001 when the relay shuts down.
 */
export const CloseCode = {
  done: 1000,
  shutdown: 1001,
  givenUp: 4000,
  protocol: 4001,
  helloTimeout: 4002,
  origin: 4010,
  token: 4011,
  target: 4012,
  limit: 4013,
  expired: 4014,
  unavailable: 4015,
  unreachable: 4020,
  targetReset: 4021,
  idle: 4030,
} as const;

/** The close reason that goes with `CloseCode.unreachable`. */
export type UnreachableReason = 'refused' | 'dns' | 'timeout' | 'network';

/** The close reason that goes with `CloseCode.limit`. */
export type LimitReason =
  | 'connections'
  | 'connections-per-address'
  | 'connections-per-subject'
  | 'streams'
  | 'stream-rate'
  | 'attempts'
  | 'memory';
