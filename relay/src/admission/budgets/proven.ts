import type { SocketLimit, StreamLimit } from '../../../../src/tunnel/wire/codes.js';
import { LIMITS, type LimitSettings } from '../../limits.js';
import { BucketsByAddress, rateOf } from './token-bucket.js';

/** Who something counts for. */
export interface Holder {
  /** Of the address. */
  key: string;
  subject: string | undefined;
  /** The subject is one that many people share. */
  shared: boolean;
}

interface Bound<Limit> {
  max: number;
  reached: Limit;
}

interface Bounds<Limit> {
  inAll: Bound<Limit>;
  perAddress: Bound<Limit>;
  /** `max` undefined: `usualForOne` for the subject of a JWT, and no limit of its own for a token that many pages share. */
  perSubject: { max: number | undefined; usualForOne: number; reached: Limit };
}

export interface ProvenLimits
  extends Pick<LimitSettings, 'maxConnections' | 'maxConnectionsPerAddress' | 'maxConnectionsPerSubject'>,
    Pick<LimitSettings, 'maxStreamsInAll' | 'maxStreamsPerAddress' | 'maxStreamsPerSubject'>,
    Pick<LimitSettings, 'newStreamsPerSecondPerAddress'> {}

/** Counts things of one kind for those who hold them. */
export class HolderBudget<Limit> {
  readonly #bounds: Bounds<Limit>;
  readonly #byAddress = new Map<string, number>();
  readonly #bySubject = new Map<string, number>();
  #size = 0;

  constructor(bounds: Bounds<Limit>) {
    this.#bounds = bounds;
  }

  /** Counts one more, or tells the limit that forbids it. */
  enter(holder: Holder): Limit | undefined {
    const limit = this.#limitReached(holder);
    if (limit === undefined) this.#count(holder, 1);
    return limit;
  }

  leave(holder: Holder): void {
    this.#count(holder, -1);
  }

  #limitReached({ key, subject, shared }: Holder): Limit | undefined {
    const { inAll, perAddress, perSubject } = this.#bounds;
    if (this.#size >= inAll.max) return inAll.reached;
    if ((this.#byAddress.get(key) ?? 0) >= perAddress.max) return perAddress.reached;
    if (subject === undefined) return undefined;
    const most = perSubject.max ?? (shared ? inAll.max : perSubject.usualForOne);
    return (this.#bySubject.get(subject) ?? 0) >= most ? perSubject.reached : undefined;
  }

  #count({ key, subject }: Holder, change: number): void {
    this.#size += change;
    countIn(this.#byAddress, key, change);
    if (subject !== undefined) countIn(this.#bySubject, subject, change);
  }
}

/** The budget of those whose HELLO was accepted. */
export class ProvenBudget {
  readonly sockets: HolderBudget<SocketLimit>;
  /** Of all of their WebSockets: each has a bound of its own besides. */
  readonly streams: HolderBudget<StreamLimit>;

  /** New streams, by address. */
  readonly newStreams: BucketsByAddress;

  constructor(limits: ProvenLimits) {
    this.newStreams = new BucketsByAddress(rateOf(limits.newStreamsPerSecondPerAddress));
    this.sockets = new HolderBudget({
      inAll: { max: limits.maxConnections, reached: 'connections' },
      perAddress: { max: limits.maxConnectionsPerAddress, reached: 'connections-per-address' },
      perSubject: {
        ...{ max: limits.maxConnectionsPerSubject, reached: 'connections-per-subject' },
        usualForOne: LIMITS.maxConnectionsPerSubject.usualForOne,
      },
    });
    this.streams = new HolderBudget({
      inAll: { max: limits.maxStreamsInAll, reached: 'streams-in-all' },
      perAddress: { max: limits.maxStreamsPerAddress, reached: 'streams-per-address' },
      perSubject: {
        ...{ max: limits.maxStreamsPerSubject, reached: 'streams-per-subject' },
        usualForOne: LIMITS.maxStreamsPerSubject.usualForOne,
      },
    });
  }
}

function countIn(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
