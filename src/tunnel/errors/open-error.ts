import { MtlsError } from '../../errors.js';
import { isLocalHost, localNetworkRefusal } from './local-network.js';

/** The error for a WebSocket that never opened. A browser does not tell why; its permissions may. */
export async function openError(url: string, cause?: unknown): Promise<MtlsError> {
  const refusal = await localNetworkRefusal();
  const goesInside = isLocalHost(new URL(url).hostname) && !isLocalHost(globalThis.location?.hostname ?? '');
  const blocked = refusal === 'denied' || (refusal === 'prompt' && goesInside);
  return new MtlsError(
    'ERR_TUNNEL_UNREACHABLE',
    unansweredMessage(url) + (blocked ? ` ${blockedMessage(refusal)}` : ''),
    cause === undefined ? undefined : { cause },
  );
}

function unansweredMessage(url: string): string {
  return `No browser-mtls relay answered at ${withoutQuery(url)}: check that it runs, that the address and path are right, and that the page may connect to it (Content-Security-Policy connect-src; an https page needs wss).`;
}

function blockedMessage(refusal: 'denied' | 'prompt'): string {
  const what =
    refusal === 'denied'
      ? 'The browser does not let this page connect to the local network'
      : 'If this page comes from the public network, the browser lets it connect to the local network only with the permission of its user';
  return `${what} (Local Network Access): allow it in the site's settings, or run the relay at a public address.`;
}

// A deployment's own secrets may be in the query, and a message holds none.
function withoutQuery(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
