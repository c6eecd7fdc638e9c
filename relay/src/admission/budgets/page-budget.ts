import { CloseCode, type SocketLimit, type StreamLimit } from '../../../../src/tunnel/wire/codes.js';
import type { LimitSettings } from '../../limits.js';
import type { TargetRule } from '../../policy/target-rule.js';
import { type Admit, type Admitted, admit, type Refused } from '../admission.js';
import { Alarm } from './alarm.js';
import type { GuessThrottle } from './guesses.js';
import type { Holder, ProvenBudget } from './proven.js';
import { rateOf, TokenBucket } from './token-bucket.js';

/** Why a page is not let in: the code and reason of the WebSocket's close. */
export interface Refusal {
  code: number;
  reason: string;
}

export interface PageBudgetOptions {
  /** What limits per address count it for. */
  key: string;
  origin: string | undefined;
  ways: Admit[];
  guesses: GuessThrottle;
  proven: ProvenBudget;
  limits: LimitSettings;
  /** Called once, when the page is admitted, with the bytes that it may send a second (0: no limit). */
  onAdmitted: (admitted: Admitted, bytesPerSecond: number) => void;
  /** Asks the page to go on with another WebSocket. */
  goAway: () => void;
  /** Ends the WebSocket. */
  close: (code: number, reason: string) => void;
}

const codes: Record<Refused['refused'], number> = {
  missing: CloseCode.token,
  wrong: CloseCode.token,
  claim: CloseCode.token,
  expired: CloseCode.expired,
  origin: CloseCode.origin,
  unavailable: CloseCode.unavailable,
};

/** So long before a token expires its page is asked for another WebSocket. */
const RENEWAL_MS = 30_000;

/** What one WebSocket may do: nothing before `admit`, afterwards what its token and the relay's limits leave it. */
export class PageBudget {
  readonly #options: PageBudgetOptions;
  readonly #newStreams: TokenBucket;
  #admitted: Admitted | undefined;
  #holder: Holder | undefined;
  #gone = false;
  #streams = 0;
  #toPage: TokenBucket | undefined;
  readonly #alarms: Alarm[] = [];

  constructor(options: PageBudgetOptions) {
    this.#options = options;
    this.#newStreams = new TokenBucket(rateOf(options.limits.newStreamsPerSecond));
  }

  /** Judges the token of HELLO; resolves with `undefined` when the page is let in. */
  async admit(token: string): Promise<Refusal | undefined> {
    const { key, origin, ways, guesses } = this.#options;
    if (ways.length > 0 && guesses.isRefused(key)) return limitRefusal('attempts');
    const verdict = await admit({ token, origin }, ways);
    if (!('refused' in verdict)) return this.#enter(verdict);
    if (verdict.refused === 'wrong') guesses.noteWrong(key);
    return { code: codes[verdict.refused], reason: verdict.reason ?? '' };
  }

  #enter(admitted: Admitted): Refusal | undefined {
    // It went away while its token was judged.
    if (this.#gone) return limitRefusal('connections');
    const { key, proven, limits, onAdmitted } = this.#options;
    const holder = { key, subject: admitted.subject, shared: admitted.shared };
    const limit = proven.sockets.enter(holder);
    if (limit) return limitRefusal(limit);
    this.#holder = holder;
    this.#admitted = admitted;
    const bytesPerSecond = smaller(limits.bytesPerSecond, admitted.bytesPerSecond);
    this.#toPage = byteBucket(bytesPerSecond);
    if (admitted.expiresAt !== undefined) this.#endAt(admitted.expiresAt);
    onAdmitted(admitted, bytesPerSecond);
    return undefined;
  }

  /** A page that has another token goes over to it in time, unless this one is short-lived. */
  #endAt(expiresAt: number): void {
    const { goAway, close } = this.#options;
    this.#alarms.push(new Alarm(expiresAt, () => close(CloseCode.expired, '')));
    if (expiresAt - Date.now() > 2 * RENEWAL_MS) this.#alarms.push(new Alarm(expiresAt - RENEWAL_MS, goAway));
  }

  /** What the token narrows the targets to; undefined: the relay's own rules alone count. */
  get targets(): readonly TargetRule[] | undefined {
    return this.#admitted?.targets;
  }

  /** Streams at once. */
  get maxStreams(): number {
    const { maxStreams } = this.#options.limits;
    return Math.min(maxStreams, this.#admitted?.maxStreams ?? maxStreams);
  }

  /** Counts a stream that opens, or tells the limit that forbids it. Each that was counted ends with `releaseStream`. */
  takeStream(): StreamLimit | undefined {
    const { proven, key } = this.#options;
    if (this.#streams >= this.maxStreams) return 'streams';
    if (!this.#newStreams.tryTake()) return 'stream-rate';
    if (!proven.newStreams.of(key).tryTake()) return 'stream-rate-per-address';
    const limit = this.#holder && proven.streams.enter(this.#holder);
    if (!limit) this.#streams++;
    return limit;
  }

  releaseStream(): void {
    this.#streams--;
    if (this.#holder) this.#options.proven.streams.leave(this.#holder);
  }

  /** Counts bytes on their way to the page; returns the milliseconds for which its targets are not to be read. */
  sendDelayMs(bytes: number): number {
    return this.#toPage?.take(bytes) ?? 0;
  }

  /** The WebSocket is gone, and has no stream left. */
  leave(): void {
    this.#gone = true;
    for (const alarm of this.#alarms) alarm.stop();
    if (this.#holder) this.#options.proven.sockets.leave(this.#holder);
    this.#holder = undefined;
  }
}

/** Bytes each second, and a second's worth at once. */
export function byteBucket(perSecond: number): TokenBucket {
  return new TokenBucket({ perSecond, burst: perSecond });
}

function limitRefusal(reason: SocketLimit): Refusal {
  return { code: CloseCode.limit, reason };
}

/** The smaller of two limits of which 0 is none. */
function smaller(limit: number, narrowed: number | undefined): number {
  if (narrowed === undefined) return limit;
  return limit === 0 ? narrowed : Math.min(limit, narrowed);
}
