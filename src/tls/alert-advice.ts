/** What alerts mean that say nothing about the client's certificate, and what to do (RFC 8446 section 6.2, RFC 6066, RFC 7301). */
const advice: Record<number, string> = {
  20: 'a record was damaged on its way (bad_record_mac)',
  22: 'a record is too large for it (record_overflow)',
  40:
    'it finds nothing in common with this client (handshake_failure). Have it allow ECDHE with X25519, P-256 or P-384; AES-GCM or ' +
    'ChaCha20-Poly1305; and a certificate with an RSA, P-256, P-384 or Ed25519 key',
  47: 'it takes what was sent for wrong (illegal_parameter); its log may say more',
  50: 'it cannot read what was sent (decode_error); its log may say more',
  70: 'it speaks no version of TLS that this client speaks (protocol_version). Have it allow TLS 1.3 or TLS 1.2',
  71: 'it wants stronger algorithms than this client has (insufficient_security)',
  80: 'it failed by itself (internal_error); its log may say more',
  90: 'it gave the handshake up (user_canceled)',
  109: 'it misses an extension (missing_extension)',
  112: 'it serves nothing under this host name (unrecognized_name)',
  120:
    'it speaks none of the protocols that were offered by ALPN (no_application_protocol). Have it allow http/1.1 or h2; for a socket, name its ' +
    'protocol in the option alpn',
};

export function adviceOn(alert: number): string | undefined {
  return advice[alert];
}
