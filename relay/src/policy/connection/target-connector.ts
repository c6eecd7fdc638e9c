import type { Socket } from 'node:net';
import type { UnreachableReason } from '../../../../src/tunnel/wire/codes.js';
import { formatHostPort, type HostPort } from '../../../../src/util/host-port.js';
import { delay, linkedController } from '../../../../src/util/promises.js';
import { type IpAddress, parseIpAddress } from '../addresses/ip-address.js';
import type { NameResolver } from '../lookup/name-resolver.js';
import { parseTarget, type Target } from '../target.js';
import { TargetDeniedError, TargetUnreachableError } from '../target-error.js';
import type { TargetPolicy } from '../target-policy.js';
import type { TargetRule } from '../target-rule.js';
import { openTargetSocket, type TargetListener } from './target-socket.js';

/** With several addresses to try, how long one is waited for until the next is tried as well. */
const ATTEMPT_DELAY_MS = 250;
/** A page must not make the relay knock at a hundred doors. */
const MAX_ATTEMPTS = 8;
/** Each takes a file descriptor. */
const MAX_ATTEMPTS_AT_ONCE = 3;
/** Made once: an abort without a reason makes an error with a stack each time. */
const DECIDED = new Error('another attempt has connected, or all have failed');

export interface TargetConnectorOptions {
  policy: TargetPolicy;
  resolver: NameResolver;
  /** For the lookup and the connection together. */
  connectTimeoutMs: number;
}

export interface ConnectOptions {
  listener: TargetListener;
  signal: AbortSignal;
  /** Whose share of the lookups at once it is: the page's address, of IPv6 its network. */
  account: string;
}

/** Connects pages with targets. It connects to addresses alone, and to those alone that it has checked. */
export class TargetConnector {
  readonly #policy: TargetPolicy;
  readonly #resolver: NameResolver;
  readonly #connectTimeoutMs: number;

  constructor({ policy, resolver, connectTimeoutMs }: TargetConnectorOptions) {
    this.#policy = policy;
    this.#resolver = resolver;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /**
   * The target that a page asks for; `undefined` when the allow-list, or the rules that narrow it for this page, has no entry for
   * it. A name that passes may still lead to an address that is denied.
   */
  check(hostPort: HostPort, narrowedTo?: readonly TargetRule[]): Target | undefined {
    const target = parseTarget(hostPort);
    return target && this.#policy.covers(target, narrowedTo) ? target : undefined;
  }

  /**
   * Connects with a target that passed `check`. Resolves with a connected socket, and who awaits it misses none of its events.
   * Rejects with a {@link TargetDeniedError}, a {@link TargetUnreachableError}, a `LookupLimitError`, or the signal's reason.
   */
  async connect(target: Target, options: ConnectOptions): Promise<Socket> {
    let reason: UnreachableReason = 'dns';
    const { controller, unlink } = linkedController(options.signal);
    const timer = setTimeout(
      () => controller.abort(new TargetUnreachableError(reason)),
      this.#connectTimeoutMs,
    );
    try {
      const addresses = await this.#addressesOf(target, { ...options, signal: controller.signal });
      reason = 'timeout';
      return await connectToOne(addresses, target.port, { ...options, signal: controller.signal });
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  /** The addresses that the policy admits, at least one. */
  async #addressesOf(target: Target, { account, signal }: ConnectOptions): Promise<IpAddress[]> {
    const search = this.#policy.names(target) && !target.absolute;
    const found = target.address
      ? [target.address]
      : (await this.#resolver.resolve(target.hostname, { search, account, signal })).map(parseIpAddress);
    const addresses = distinct(found.filter(address => address !== undefined));
    const admitted = addresses.filter(address => this.#policy.admits(target, address));
    if (admitted.length > 0) return admitted;
    const places = addresses
      .slice(0, 3)
      .map(address => `${address.text} (${this.#policy.classOf(address).class})`);
    throw new TargetDeniedError(`${formatHostPort(target)} at ${places.join(', ')}`);
  }
}

/**
 * Tries the addresses, both families in turn, until one connects (RFC 8305 section 5). Each begins when the one before has failed,
 * or has not connected for a while and goes on, until there are too many.
 */
async function connectToOne(
  addresses: IpAddress[],
  port: number,
  { listener, signal }: ConnectOptions,
): Promise<Socket> {
  const { controller, unlink } = linkedController(signal);
  const attempts: Promise<Socket>[] = [];
  const begun: AbortController[] = [];
  const attempt = async (address: IpAddress, index: number) => {
    const previous = attempts[index - 1];
    if (previous)
      await Promise.race([delay(index * ATTEMPT_DELAY_MS, controller.signal), failureOf(previous)]);
    const oldest = begun[index - MAX_ATTEMPTS_AT_ONCE];
    oldest?.abort(new TargetUnreachableError('timeout'));
    const { controller: own, unlink } = linkedController(controller.signal);
    begun[index] = own;
    return openTargetSocket(address.text, port, { listener, signal: own.signal }).finally(unlink);
  };
  for (const [index, address] of interleaved(addresses).slice(0, MAX_ATTEMPTS).entries()) {
    attempts.push(attempt(address, index));
  }
  try {
    const first = await Promise.any(attempts);
    for (const attempt of attempts)
      attempt.then(
        other => other !== first && other.destroy(),
        () => {},
      );
    return first;
  } catch (error) {
    signal.throwIfAborted();
    throw mostTelling((error as AggregateError).errors);
  } finally {
    controller.abort(DECIDED);
    unlink();
  }
}

/** An IPv4 address may also come in its mapped form. */
function distinct(addresses: IpAddress[]): IpAddress[] {
  return [...new Map(addresses.map(address => [address.text, address])).values()];
}

function failureOf(promise: Promise<unknown>): Promise<void> {
  return new Promise(resolve => promise.catch(() => resolve()));
}

/** The families in turn, beginning with that of the first address. */
function interleaved(addresses: IpAddress[]): IpAddress[] {
  const first = addresses[0]?.family;
  const families = [true, false].map(isFirst =>
    addresses.filter(each => (each.family === first) === isFirst),
  );
  const longest = Math.max(...families.map(each => each.length));
  return Array.from({ length: longest }, (_, index) => families.flatMap(each => each[index] ?? [])).flat();
}

/** A target that refused was reached; what else failed may be this machine's lack of IPv6. */
function mostTelling(failures: TargetUnreachableError[]): TargetUnreachableError {
  const order: UnreachableReason[] = ['refused', 'timeout', 'network'];
  const reason = order.find(each => failures.some(failure => failure.reason === each));
  return new TargetUnreachableError(reason ?? 'network', failures.at(-1));
}
