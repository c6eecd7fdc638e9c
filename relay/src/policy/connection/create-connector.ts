import type { Network } from '../addresses/ip-address.js';
import { isOwnAddress } from '../addresses/own-addresses.js';
import { DnsResolver } from '../lookup/dns-resolver.js';
import type { ResolverSettings } from '../lookup/resolver-settings.js';
import { SystemResolver } from '../lookup/system-resolver.js';
import { TargetPolicy } from '../target-policy.js';
import type { TargetRule } from '../target-rule.js';
import { TargetConnector } from './target-connector.js';

export interface ConnectorSettings extends ResolverSettings {
  rules: readonly TargetRule[];
  nat64Prefixes: readonly Network[];
  connectTimeoutMs: number;
}

export function createConnector({
  rules,
  nat64Prefixes,
  connectTimeoutMs,
  ...settings
}: ConnectorSettings): TargetConnector {
  const { resolver: kind, dnsServers: servers } = settings;
  const resolver = kind === 'system' ? new SystemResolver() : new DnsResolver({ servers });
  return new TargetConnector({
    policy: new TargetPolicy(rules, isOwnAddress, nat64Prefixes),
    resolver,
    connectTimeoutMs,
  });
}
