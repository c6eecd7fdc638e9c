import { orAborted } from '../../util/promises.js';

/** The time for an answer that needs nobody to be asked. */
const ANSWER_MS = 1_000;

/** The permissions that Chromium knows for it, of this version and of earlier ones. */
const permissions = ['loopback-network', 'local-network', 'local-network-access'];

/** Whether a host is on this device, or in its local network, as far as its name tells. */
export function isLocalHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host.includes(':')) return host === '::1' || /^f[cd][0-9a-f]{2}:|^fe[89ab][0-9a-f]:/.test(host);
  if (/^(.*\.)?(localhost|local)$/.test(host)) return true;
  return /^\d+(\.\d+){3}$/.test(host) && /^(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\./.test(host);
}

/**
 * What the person has said to the page's connections into the local network (Local Network Access, Chromium): `denied`, `prompt`
 * when nothing was said, or undefined where all is well or nothing is known.
 */
export async function localNetworkRefusal(): Promise<'denied' | 'prompt' | undefined> {
  const states = new Set(await Promise.all(permissions.map(stateOf)));
  if (states.has('denied')) return 'denied';
  return states.has('prompt') ? 'prompt' : undefined;
}

/** Undefined where the browser does not know the permission, or does not answer. */
async function stateOf(name: string): Promise<PermissionState | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asking = globalThis.navigator?.permissions?.query({ name: name as PermissionName });
    return asking && (await orAborted(asking, signal)).state;
  } catch {
    return undefined;
  }
}
