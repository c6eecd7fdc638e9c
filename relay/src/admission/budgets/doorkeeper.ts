import type { Socket } from 'node:net';
import type { DoorLimit } from '../../events.js';
import type { LimitSettings } from '../../limits.js';
import { addressKey, normaliseAddress } from '../addresses/address.js';
import type { TrustedProxies } from '../addresses/client-address.js';
import { Tally } from './tally.js';
import { BucketsByAddress, rateOf } from './token-bucket.js';
import { type Unproven, UnprovenBudget } from './unproven.js';

/** A TCP connection from its first moment on. */
export interface Visitor {
  /** The address that limits and logs use: the peer's, until a trusted proxy has named another. */
  address: string;
  /** Its place among the unproven; `undefined` when it has left. */
  entry: Unproven | undefined;
  /** A trusted proxy's, whose page is not known yet. */
  anonymous: boolean;
}

/** Meets every TCP connection: counts it as unproven, and turns it away when its address opens too many a second. */
export class Doorkeeper {
  readonly #proxies: TrustedProxies;
  readonly #unproven: UnprovenBudget;
  readonly #rates: BucketsByAddress;
  readonly #tally: Tally;
  readonly #visitors = new WeakMap<object, Visitor>();

  constructor(options: {
    limits: LimitSettings;
    proxies: TrustedProxies;
    report: (limit: DoorLimit, count: number, remoteAddress: string) => void;
  }) {
    this.#proxies = options.proxies;
    this.#tally = new Tally(options.report);
    this.#rates = new BucketsByAddress(rateOf(options.limits.newConnectionsPerSecond));
    this.#unproven = new UnprovenBudget({
      ...options.limits,
      onExpelled: key => this.#tally.note('unproven', key ?? ''),
    });
  }

  /** Counts a connection, once; `undefined` when its address is over its rate. */
  meet(socket: Socket): Visitor | undefined {
    const known = this.#visitors.get(socket);
    if (known) return known;
    const address = normaliseAddress(socket.remoteAddress ?? '') ?? '';
    const anonymous = this.#proxies.trusts(address);
    if (!anonymous && !this.#withinRate(address)) return undefined;
    const visitor: Visitor = { address, anonymous, entry: undefined };
    visitor.entry = this.#unproven.enter(anonymous ? undefined : addressKey(address), () => socket.destroy());
    socket.once('close', () => this.leave(visitor));
    this.#visitors.set(socket, visitor);
    return visitor;
  }

  /**
   * Learns who a trusted proxy speaks for. `undefined`, and a line of the log, when the header cannot be read; `false` when the
   * page's address is over its rate.
   */
  identify(visitor: Visitor, forwardedFor: string | undefined): boolean | undefined {
    if (!visitor.anonymous) return true;
    const address = this.#proxies.clientOf(visitor.address, forwardedFor);
    if (address === undefined) {
      this.noteMalformedHeader(visitor);
      return undefined;
    }
    visitor.anonymous = false;
    visitor.address = address;
    if (visitor.entry) this.#unproven.move(visitor.entry, addressKey(address));
    return this.#withinRate(address);
  }

  /** Counts a connection as so many more. */
  charge(socket: Socket, connections: number): void {
    const visitor = this.#visitors.get(socket);
    if (visitor && !visitor.anonymous) this.#rates.of(addressKey(visitor.address)).take(connections);
  }

  /** The page has shown who it is, or the connection is gone. */
  leave(visitor: Visitor): void {
    if (visitor.entry) this.#unproven.leave(visitor.entry);
    visitor.entry = undefined;
  }

  /** A proxy's header, in front of the connection, named the page's address. `false` when it is over its rate. */
  rename(visitor: Visitor, address: string): boolean {
    visitor.anonymous = this.#proxies.trusts(address);
    visitor.address = address;
    if (visitor.anonymous) return true;
    if (visitor.entry) this.#unproven.move(visitor.entry, addressKey(address));
    return this.#withinRate(address);
  }

  noteMalformedHeader(visitor: Visitor): void {
    this.#tally.note('proxy-header', visitor.address);
  }

  close(): void {
    this.#tally.flush();
  }

  #withinRate(address: string): boolean {
    if (this.#rates.of(addressKey(address)).tryTake()) return true;
    this.#tally.note('connection-rate', address);
    return false;
  }
}
