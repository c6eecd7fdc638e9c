import {
  type Network,
  networkContains,
  parseIpAddress,
  parseNetwork,
} from '../../policy/addresses/ip-address.js';
import { normaliseAddress } from './address.js';

/** The proxies whose word about a page's address is taken. */
export class TrustedProxies {
  readonly #networks: Network[];

  /** @throws TypeError for what is not an address or a network in CIDR notation */
  constructor(networks: string[]) {
    this.#networks = networks.map(parseProxy);
  }

  trusts(text: string): boolean {
    const address = parseIpAddress(text);
    return address !== undefined && this.#networks.some(network => networkContains(network, address));
  }

  /**
   * The page's address: the last entry of X-Forwarded-For that is not a trusted proxy's, or the peer's own where the peer is not
   * trusted. `undefined` when a trusted proxy sent a header that cannot be read.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string | undefined {
    if (forwardedFor === undefined || !this.trusts(peer)) return peer;
    let client = peer;
    // Each proxy appends the address that it saw, so only the right end is the word of one that is trusted.
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = readEntry(entry.trim());
      if (address === undefined) return undefined;
      client = address;
      if (!this.trusts(address)) break;
    }
    return client;
  }
}

function parseProxy(text: string): Network {
  const network = parseNetwork(String(text));
  if (network) return network;
  throw new TypeError(
    `"trustedProxies" must be addresses or networks, as in 10.0.0.7 or 10.0.0.0/8, not ${JSON.stringify(text)}`,
  );
}

/** An address as proxies write it: some append the port, and then put IPv6 in brackets. */
function readEntry(text: string): string | undefined {
  const [, inBrackets, ipv4] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return normaliseAddress(inBrackets ?? ipv4 ?? text);
}
