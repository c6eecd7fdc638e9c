import { MAX_WINDOW_BYTES, MIN_WINDOW_BYTES } from '../../src/tunnel/wire/limits.js';
import { checkedInteger, MAX_TIMER_MS } from '../../src/util/options.js';

/** Limits of a relay, all of them options of `createRelay` and flags of the command. */
export interface RelayLimits {
  /** Milliseconds from the TCP connection until the upgrade request is complete, on the relay's own server; default 5,000. */
  requestTimeoutMs?: number;
  /** Milliseconds from the upgrade for the hello message to arrive; default 3,000. */
  helloTimeoutMs?: number;
  /** Milliseconds for the name lookup and the TCP connection together; default 10,000. */
  connectTimeoutMs?: number;
  /** Milliseconds without a byte either way after which a connection is closed; 0 never, default 300,000. */
  idleTimeoutMs?: number;
  /** Milliseconds between WebSocket pings; a page that answered neither of two is gone. 0 sends none, default 30,000. */
  pingIntervalMs?: number;
  /** TCP connections and WebSockets without an accepted HELLO at once; the oldest goes for a newer one. Default 512. */
  maxUnproven?: number;
  /** The same from one address (IPv6: one /64); default 64. */
  maxUnprovenPerAddress?: number;
  /** New connections a second from one address, and twice as many at once; 0 no limit, default 100. */
  newConnectionsPerSecond?: number;
  /** WebSockets at once whose HELLO was accepted; default 1,000. */
  maxConnections?: number;
  /** The same from one address (IPv6: one /64); default 256. */
  maxConnectionsPerAddress?: number;
  /** The same of one subject. Default: 64 for the subject of a JWT; no limit for a token, which many pages share. */
  maxConnectionsPerSubject?: number;
  /** Streams at once on one WebSocket, at most 65,535; default 256. */
  maxStreams?: number;
  /** Streams at once on all WebSockets, each of which takes a file descriptor; default 8,192. */
  maxStreamsInAll?: number;
  /** The same of one address (IPv6: one /64); default 2,048. */
  maxStreamsPerAddress?: number;
  /** The same of one subject. Default: 512 for the subject of a JWT; no limit for a token, which many pages share. */
  maxStreamsPerSubject?: number;
  /** New streams a second on one WebSocket, and twice as many at once; 0 no limit, default 100. */
  newStreamsPerSecond?: number;
  /** The same of all WebSockets of one address; default 500. */
  newStreamsPerSecondPerAddress?: number;
  /** Frames and small reads a second of one WebSocket, beyond which it waits; 0 no limit, default 20,000. */
  framesPerSecond?: number;
  /** The same of all WebSockets of one address; default 50,000. */
  framesPerSecondPerAddress?: number;
  /** Bytes a second of one WebSocket, each way, beyond which it waits; 16,384 or more, or 0 for no limit, the default. */
  bytesPerSecond?: number;
  /** Bytes that the relay holds in all. Beyond it, the WebSockets that hold most are closed. Default 268,435,456. */
  maxBufferedBytes?: number;
  /** Bytes from a page that a stream holds at first while its target does not take them; 65,536 to 16,777,216, default 1,048,576. */
  windowBytes?: number;
  /** What that grows to where the path to the page is long; `windowBytes` to 16,777,216, default 16,777,216. */
  maxWindowBytes?: number;
  /**
   * Milliseconds after which a page is asked to go on with another WebSocket. This one is closed when its streams have ended, five
   * minutes later at the latest. 0 never, the default.
   */
  maxSocketAgeMs?: number;
}

/** Slower, and the wait behind one message is so long that the page is taken for gone. */
export const MIN_BYTES_PER_SECOND = 16_384;

export interface LimitRule {
  usual: number | undefined;
  /** The default for the subject of a JWT, where there is none for a token that many pages share. */
  usualForOne?: number;
  min: number;
  max: number;
  /** A value below `min` that is taken as well. */
  or?: number;
  flag: string;
  /** What the flag counts in: 1,000 for seconds where the option has milliseconds. */
  unit: number;
  help: string;
}

const seconds = (flag: string, usual: number, help: string, min = 1): LimitRule => ({
  ...{ flag, usual, min, help: `seconds ${help}` },
  ...{ max: MAX_TIMER_MS, unit: 1000 },
});

const count = (flag: string, usual: number | undefined, help: string, min = 1): LimitRule => ({
  ...{ flag, usual, min, help },
  ...{ max: MAX_TIMER_MS, unit: 1 },
});

const perSubject = (flag: string, usualForOne: number) => ({
  ...count(flag, undefined, `the same of one token or sub (default ${usualForOne} of one sub)`),
  usualForOne,
});

/** Each limit's flag, default and range. */
export const LIMITS = {
  requestTimeoutMs: seconds('request-timeout', 5000, 'for the upgrade request'),
  helloTimeoutMs: seconds('hello-timeout', 3000, 'for the hello message'),
  connectTimeoutMs: seconds('connect-timeout', 10_000, 'for the name lookup and the TCP connection'),
  idleTimeoutMs: seconds('idle-timeout', 300_000, 'without a byte until a connection is closed; 0 never', 0),
  pingIntervalMs: seconds('ping-interval', 30_000, 'between WebSocket pings; 0 sends none', 0),
  maxUnproven: count('max-unproven', 512, 'connections at once without an accepted HELLO'),
  maxUnprovenPerAddress: count('max-unproven-per-address', 64, 'the same from one address (IPv6: one /64)'),
  newConnectionsPerSecond: count('new-connections-per-second', 100, 'new connections of one address', 0),
  maxConnections: count('max-connections', 1000, 'WebSockets at once with an accepted HELLO'),
  maxConnectionsPerAddress: count('max-connections-per-address', 256, 'the same from one address'),
  maxConnectionsPerSubject: perSubject('max-connections-per-subject', 64),
  maxStreams: { ...count('max-streams', 256, 'streams at once on one WebSocket'), max: 65_535 },
  maxStreamsInAll: count('max-streams-in-all', 8192, 'streams at once on all WebSockets'),
  maxStreamsPerAddress: count('max-streams-per-address', 2048, 'the same of one address'),
  maxStreamsPerSubject: perSubject('max-streams-per-subject', 512),
  newStreamsPerSecond: count('new-streams-per-second', 100, 'new streams on one WebSocket', 0),
  newStreamsPerSecondPerAddress: count(
    'new-streams-per-second-per-address',
    500,
    'new streams of one address',
    0,
  ),
  framesPerSecond: count('frames-per-second', 20_000, 'frames of one WebSocket', 0),
  framesPerSecondPerAddress: count('frames-per-second-per-address', 50_000, 'frames of one address', 0),
  bytesPerSecond: {
    ...count('bytes-per-second', 0, 'bytes of one WebSocket, each way; 0 no limit', MIN_BYTES_PER_SECOND),
    or: 0,
  },
  maxBufferedBytes: count('max-buffered-bytes', 256 * 1024 * 1024, 'bytes held in all'),
  windowBytes: {
    ...count('window', 1024 * 1024, 'bytes held of one stream at first', MIN_WINDOW_BYTES),
    max: MAX_WINDOW_BYTES,
  },
  maxWindowBytes: {
    ...count('max-window', MAX_WINDOW_BYTES, 'bytes held of one stream on a long path', MIN_WINDOW_BYTES),
    max: MAX_WINDOW_BYTES,
  },
  maxSocketAgeMs: seconds('max-socket-age', 0, 'until a page is asked to use another WebSocket; 0 never', 0),
} satisfies Readonly<Record<keyof RelayLimits, LimitRule>>;

export const limitNames = Object.keys(LIMITS) as (keyof RelayLimits)[];

/** {@link RelayLimits}, checked, with every default in its place. */
export type LimitSettings = Required<
  Omit<RelayLimits, 'maxConnectionsPerSubject' | 'maxStreamsPerSubject'>
> & {
  maxConnectionsPerSubject: number | undefined;
  maxStreamsPerSubject: number | undefined;
};

/** @throws TypeError that names the limit and its range */
export function parseLimits(limits: RelayLimits): LimitSettings {
  const checked = limitNames.map(name => {
    const { usual, ...range } = LIMITS[name];
    const value = limits[name] ?? usual;
    return [name, value === undefined ? undefined : checkedInteger(name, value, range)];
  });
  const settings = Object.fromEntries(checked) as LimitSettings;
  if (settings.windowBytes > settings.maxWindowBytes)
    throw new TypeError('"windowBytes" must be at most "maxWindowBytes"');
  return settings;
}
