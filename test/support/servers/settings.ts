import type { KeyPair, OpensslPki } from '../openssl-pki.js';
import type { ServerKind, Setting } from './types.js';

/** Of servers and of clients. */
export const KEYS = ['rsa', 'p256'] as const;

type ServerPairs = Map<(typeof KEYS)[number], KeyPair>;

/** A certificate for localhost with each kind of key. */
export function serverPairsOf(pki: OpensslPki): ServerPairs {
  const options = { subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' as const };
  return new Map(KEYS.map(kind => [kind, pki.issue({ ...options, kind })]));
}

/** All that a server can be set to. */
export function settingsOf(
  { http }: ServerKind,
  { pairs, clientCa }: { pairs: ServerPairs; clientCa: string },
): Setting[] {
  const settings: Setting[] = [];
  for (const tls of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const protocol of http) {
      for (const clientAuth of ['required', 'optional'] as const) {
        for (const [serverKey, server] of pairs)
          settings.push({ tls, clientAuth, http: protocol, serverKey, server, clientCa });
      }
    }
  }
  return settings;
}

/** One for each protocol: what is common to servers of today. */
export function protocolsOf(
  { http }: ServerKind,
  rest: Pick<Setting, 'server' | 'clientCa' | 'idleSeconds'>,
): Setting[] {
  const common = { tls: 'TLSv1.3', clientAuth: 'required', serverKey: 'p256' } as const;
  return http.map(protocol => ({ ...common, ...rest, http: protocol }));
}

export function nameOf({ tls, http, serverKey, clientAuth }: Setting): string {
  return `${tls}, ${http}, server ${serverKey}, certificate ${clientAuth}`;
}
