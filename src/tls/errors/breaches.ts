import type { TlsVersion } from '../types.js';
import { otherThan } from './alerts.js';

/** Some of the numbers of `Breach` in wasm/engine/src/tls/breach.rs. */
export const Breach = { notTls: 1, versionNotOffered: 7, internal: 23 } as const;

/** The clauses for the numbers of `Breach`. */
const words: Record<number, string> = {
  2: 'a message of the server is malformed',
  3: 'a message or record of the server is too large',
  4: 'the server sent a message at the wrong time',
  5: 'a record of the server cannot be decrypted: it was damaged or altered on its way',
  6: 'the server sent no certificate',
  8: 'the server speaks no newer version than TLS 1.1. Have it allow TLS 1.3 or TLS 1.2',
  9: 'the server asks for a client certificate, but names no signature scheme that TLS 1.3 has',
  10: 'the server chose TLS 1.2 although it speaks TLS 1.3: something on the way may have altered the handshake',
  11: 'the server signed by a scheme that was not offered, or does not fit its key or TLS 1.2, where keys for RSASSA-PSS alone are not supported',
  12: 'the server chose a cipher suite that was not offered',
  13: 'the server chose a group for the key exchange that was not offered',
  14: "the server's part of the key exchange is missing or wrong",
  15: 'the server chose a protocol that was not offered by ALPN',
  16: 'the server chose a compression that was not offered',
  17: "the server's HelloRetryRequest contradicts what was offered",
  18: 'the server sent an extension twice, in the wrong place, or one that was not offered',
  19: 'the server resumed the session with other parameters than it had',
  20: 'the server sent too many messages that carry nothing',
  21: 'a record of the server has a content that is not allowed there',
  22: 'the server does not take uncompressed points of elliptic curves',
  [Breach.internal]: 'the engine could not go on',
};

/** A clause that says what peer and client could not agree on. */
export function breachWords(breach: number, offered: readonly TlsVersion[]): string {
  if (breach === Breach.versionNotOffered) return versionWords(offered);
  return words[breach] ?? 'the server did something that TLS does not allow';
}

function versionWords([only, ...others]: readonly TlsVersion[]): string {
  if (others.length > 0) return 'the server chose a version of TLS that was not offered';
  const other = otherThan(only);
  return `the server chose ${other}, which the option tlsVersions leaves out. Allow ${other} there as well, or ${only} at the server`;
}
