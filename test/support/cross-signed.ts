import type { Der } from '../../src/enroll/der.js';
import {
  AUTHORITY,
  basicConstraints,
  CLIENT_AUTH,
  commonName,
  extendedKeyUsage,
  type Forged,
  forge,
  keyUsage,
  makeKey,
  utcTime,
} from './forged-certificates.js';

export const CLIENT: Der[] = [basicConstraints(false), keyUsage(0), extendedKeyUsage(CLIENT_AUTH)];
export const EXPIRED: [Der, Der] = [utcTime(-20), utcTime(-10)];

export function root(name: string): Forged {
  return forge({ subject: commonName(name), extensions: AUTHORITY });
}

/** One authority with a certificate by each of several roots, and a client of it. */
export function crossSigned(
  by: Forged[],
  { name = 'Inter' } = {},
): { client: Forged; authorities: Forged[] } {
  const key = makeKey();
  const authorities = by.map((by, at) =>
    forge({ subject: commonName(name), by, key, extensions: AUTHORITY, serial: Uint8Array.of(at + 1) }),
  );
  return { client: client(authorities[0] as Forged), authorities };
}

export function client(by: Forged, name = 'Ada'): Forged {
  return forge({ subject: commonName(name), by, extensions: CLIENT });
}
