import { DnsResolver } from './dns-resolver.js';
import type { Network } from './ip-address.js';
import { isOwnAddress } from './own-addresses.js';
import type { ResolverSettings } from './resolver-settings.js';
import { SystemResolver } from './system-resolver.js';
import { TargetConnector } from './target-connector.js';
import { TargetPolicy } from './target-policy.js';
import type { TargetRule } from './target-rule.js';

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
