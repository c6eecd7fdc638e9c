import { MtlsError } from '../errors.js';

/** The error for a WebSocket that never opened; a browser does not tell why. */
export async function openError(url: string, cause?: unknown): Promise<MtlsError> {
  return new MtlsError(
    'ERR_TUNNEL_UNREACHABLE',
    `No browser-mtls relay answered at ${withoutQuery(url)}: check that it runs, that the address and path are right, and that the page may connect to it (Content-Security-Policy connect-src; an https page needs wss).`,
    cause === undefined ? undefined : { cause },
  );
}

// A deployment's own secrets may be in the query, and a message holds none.
function withoutQuery(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
