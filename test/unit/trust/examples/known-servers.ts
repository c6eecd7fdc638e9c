import type { TrustOptions } from 'browser-mtls';

/** Trust for a service with an authority of its own, and for a device that signed its certificate itself. */
export function knownServers(known: Known): TrustOptions {
  return {
    anchors: known.authority,
    crls: known.revoked,
    pins: {
      [known.service]: [known.serviceKey, known.backupKey],
      [known.device]: { sha256: [known.deviceKey], replacesAnchors: true },
    },
    // Stricter than verification: of those that it trusts, none whose certificate is good for more than 90 days.
    evaluate({ chain: [own], result }) {
      const days = own ? (own.notAfter.getTime() - own.notBefore.getTime()) / 86_400_000 : 0;
      return result.trusted && days <= 90;
    },
  };
}

interface Known {
  /** PEM. */
  authority: string;
  revoked: string;
  /** `host`, `host:port` or a pattern. */
  service: string;
  device: string;
  /** `Certificate.spkiPin`, or what openssl prints. */
  serviceKey: string;
  backupKey: string;
  deviceKey: string;
}
