import { isIP, isIPv4, isIPv6 } from 'node:net';
import { bracketed } from '../../../../src/util/host-port.js';

/** How the relay finds the addresses of names. */
export interface ResolverSettings {
  resolver: 'dns' | 'system';
  /** `address:port` of DNS servers; empty for the system's. */
  dnsServers: string[];
}

/** @throws TypeError */
export function parseResolverSettings(options: {
  resolver?: string | undefined;
  dnsServers?: readonly string[];
}): ResolverSettings {
  const { resolver = 'dns', dnsServers = [] } = options;
  if (resolver !== 'dns' && resolver !== 'system')
    throw new TypeError('"resolver" must be "dns" or "system"');
  if (resolver === 'system' && dnsServers.length > 0) {
    throw new TypeError('"dnsServers" must not come with the resolver "system", which has its own');
  }
  return { resolver, dnsServers: dnsServers.map(parseDnsServer) };
}

function parseDnsServer(server: string): string {
  if (isIP(server)) return `${bracketed(server)}:53`;
  const [, ipv6, ipv4 = '', port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(server) ?? [];
  const isAddress = ipv6 === undefined ? isIPv4(ipv4) : isIPv6(ipv6);
  if (isAddress && Number(port) >= 1 && Number(port) <= 65535) return server;
  throw new TypeError(
    `"dnsServers" must be addresses, with or without a port, as in 10.0.0.53 or [fd00::53]:53, not ${JSON.stringify(server)}`,
  );
}
