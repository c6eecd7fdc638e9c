import { isLoopback } from './admission/addresses/address.js';
import type { RelaySettings } from './options.js';

/** A sentence for each way in that these settings leave open to more than the operator may think of. */
export function openDoors(settings: RelaySettings): string[] {
  const { ways, origins, rules, server, host, proxies } = settings;
  const doors: string[] = [];
  const public_ = server === undefined && !isLoopback(host);
  if (ways.length === 0) {
    doors.push(
      public_
        ? `NO TOKEN IS ASKED FOR, and ${host} is not loopback: every program that can reach this relay uses it. Set RELAY_TOKEN, or use --token-file or --jwt-jwks.`
        : 'No token is asked for: every program that can reach this relay uses it. That is for development; set RELAY_TOKEN, or use --token-file or --jwt-jwks.',
    );
  }
  if (
    rules.some(
      ({ host }) => host.type === 'any' || (host.type === 'network' && host.network.prefixLength === 0),
    )
  ) {
    doors.push(
      'A rule of --allow names any host: pages reach all of the internet from this relay’s address. Name the hosts.',
    );
  }
  if (origins.includes('*')) {
    doors.push('--origin "*" lets pages of every website use this relay. Name the origins.');
  }
  if (ways.length > 0 && public_) {
    doors.push(
      `The relay speaks plain ws: on ${host}: tokens can be read on the way. Put TLS in front of it, or use createRelay with an HTTPS server.`,
    );
  }
  if (proxies.trusts('203.0.113.1') || proxies.trusts('2001:db8::1')) {
    doors.push(
      '--trusted-proxy covers public addresses: who connects from there chooses the address that limits count.',
    );
  }
  return doors;
}
