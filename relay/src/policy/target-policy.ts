import { type AddressClass, type ClassRange, classify } from './addresses/address-class.js';
import { type IpAddress, type Network, networkContains } from './addresses/ip-address.js';
import { isOwnAddress } from './addresses/own-addresses.js';
import { isLocalhost, type Target } from './target.js';
import type { TargetRule } from './target-rule.js';

/**
 * What pages may connect to, by the relay's allow-list (`docs/tunnel.md`).
 *
 * A name is asked about twice: whether a rule covers it, before it is looked up, and then whether each of its addresses is
 * admitted.
 */
export class TargetPolicy {
  readonly #rules: readonly TargetRule[];
  readonly #isOwn: (address: IpAddress) => boolean;
  readonly #nat64Prefixes: readonly Network[];

  /** @param isOwn whether an address is this machine's: what listens there may count on not being reached from outside */
  constructor(rules: readonly TargetRule[], isOwn = isOwnAddress, nat64Prefixes: readonly Network[] = []) {
    this.#rules = rules;
    this.#isOwn = isOwn;
    this.#nat64Prefixes = nat64Prefixes;
  }

  classOf(address: IpAddress): ClassRange {
    return classify(address, this.#nat64Prefixes);
  }

  /** Whether a rule covers the target, and none of those that narrow the list for this page leaves it out. */
  covers(target: Target, narrowedTo?: readonly TargetRule[]): boolean {
    const isCovered = (rules: readonly TargetRule[]) => rules.some(rule => ruleCovers(rule, target));
    return isCovered(this.#rules) && (narrowedTo === undefined || isCovered(narrowedTo));
  }

  /** Whether a rule has the target's very name, so that it means whatever the name means in this network. */
  names(target: Target): boolean {
    return this.#rules.some(rule => rule.host.type === 'name' && ruleCovers(rule, target));
  }

  /** Whether the target, which is covered, may be reached at this address. */
  admits(target: Target, address: IpAddress): boolean {
    return this.#rules.some(rule => this.#ruleAdmits(rule, target, address));
  }

  #ruleAdmits(rule: TargetRule, target: Target, address: IpAddress): boolean {
    const range = this.classOf(address);
    switch (rule.host.type) {
      case 'any':
      case 'wildcard':
        return range.class === 'global' && !this.#isOwn(address) && ruleCovers(rule, target);
      case 'name':
        return nameReaches(target, range.class) && ruleCovers(rule, target);
      case 'network': {
        // A network admits the addresses of a class only if it lies within the class: 0.0.0.0/0 names no private address.
        const isWithin = range.class === 'global' || rule.host.network.prefixLength >= range.prefixLength;
        return isWithin && ruleCovers(rule, { ...target, address });
      }
    }
  }
}

/** Whether a rule is about this target, whatever the target's addresses are. */
function ruleCovers(rule: TargetRule, { hostname, port, address }: Target): boolean {
  if (port < rule.firstPort || port > rule.lastPort) return false;
  const { host } = rule;
  switch (host.type) {
    case 'any':
      return true;
    case 'name':
      return hostname === host.name;
    case 'wildcard':
      return address === undefined && hostname.endsWith(host.suffix);
    case 'network':
      return address !== undefined && networkContains(host.network, address);
  }
}

/** Who controls the DNS of a name must not lead a page to the relay's own machine, or to what answers without a login. */
function nameReaches({ hostname }: Target, addressClass: AddressClass): boolean {
  if (addressClass === 'loopback') return isLocalhost(hostname);
  return addressClass === 'global' || addressClass === 'private';
}
