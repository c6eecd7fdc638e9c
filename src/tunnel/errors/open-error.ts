import { MtlsError } from '../../errors.js';
import { localNetworkRefusal, type Place, placeOf } from './local-network.js';

/** The error for a WebSocket that never opened. A browser does not tell why; its permissions may. */
export async function openError(url: string, cause?: unknown): Promise<MtlsError> {
  const { hostname } = new URL(url);
  const blocked = await blockedMessage(hostname, placeOf(globalThis.location?.hostname ?? ''));
  return new MtlsError(
    'ERR_TUNNEL_UNREACHABLE',
    unansweredMessage(url) + (blocked === undefined ? '' : ` ${blocked}`),
    cause === undefined ? undefined : { cause },
  );
}

function unansweredMessage(url: string): string {
  return `No browser-mtls relay answered at ${withoutQuery(url)}: check that it runs, that the address and path are right, and that the page may connect to it (Content-Security-Policy connect-src; an https page needs wss).`;
}

/** Undefined where the browser's rules for the local network are not the reason. */
async function blockedMessage(hostname: string, pageIsIn: Place): Promise<string | undefined> {
  const place = placeOf(hostname);
  const refusal = await localNetworkRefusal(place);
  if (refusal === undefined) return undefined;
  // Most names lead to public addresses, and a page of the local network is not asked: both are as good as any other reason.
  const isInside = pageIsIn === 'loopback' || pageIsIn === 'local';
  if (refusal === 'prompt' && (place === 'anywhere' || isInside)) return undefined;
  return `${reasons[refusal](place === 'anywhere' ? hostname : undefined)} (Local Network Access): allow it in the site's settings, or run the relay at a public address.`;
}

const reasons = {
  denied: (name: string | undefined) =>
    name === undefined
      ? 'The browser does not let this page connect to the local network'
      : `If ${name} leads to an address of the local network, the browser does not let this page connect to it`,
  prompt: () =>
    'If this page comes from the public network, the browser lets it connect to the local network only with the permission of its user',
};

// A deployment's own secrets may be in the query, and a message holds none.
function withoutQuery(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
