import { loadEngine } from '../engine/load.js';
import { Cookies } from '../http/cookies/cookies.js';
import { readPoolOptions } from '../http/pool/pool-options.js';
import { readMaterial } from '../trust/options.js';
import { PinRules } from '../trust/pins.js';
import { Part } from '../util/part.js';
import { requireWebCrypto } from '../util/web-crypto.js';
import { type ClientOptions, checkClientOptions, openTunnel, readConnectTimeout } from './client-options.js';
import type { MtlsClient } from './mtls-client.js';
import { loadOptionParts } from './option-parts.js';

/**
 * TLS, HTTP, `fetch` and all else that a client does: loaded beside the engine.
 *
 * @internal
 */
export const clientPart = /* @__PURE__ */ new Part(() => import('./client.js'), {
  code: 'ERR_ENGINE_LOAD',
  task: 'speaks TLS and HTTP',
});

/**
 * Makes a client. It loads the engine (once per page) and the code for requests, and opens the WebSocket to the relay meanwhile
 * (`docs/connections.md`).
 *
 * @throws MtlsError ERR_INSECURE_CONTEXT, ERR_ENGINE_LOAD, ERR_TRUST_ROOTS_LOAD, ERR_CERT_MALFORMED (an anchor, a revocation list);
 *   TypeError for a wrong option
 */
export async function createClient(options: ClientOptions): Promise<MtlsClient> {
  checkClientOptions(options);
  requireWebCrypto();
  // Begun first: everything else is done while they are received.
  const loading = Promise.all([loadEngine(options.engine), clientPart.load(), loadOptionParts(options)]);
  // Told below, unless an option is wrong.
  loading.catch(() => {});
  const { trust = {} } = options;
  const checked = {
    pool: readPoolOptions(options.pool),
    cookies: new Cookies(options.cookies),
    timeoutMs: readConnectTimeout(options.connectTimeoutMs),
    pins: new PinRules(trust.pins, 'trust.pins'),
  };
  const tunnel = openTunnel(options);
  try {
    const [[module, { startClient }, parts], material] = await Promise.all([
      loading,
      readMaterial(trust, 'trust.'),
    ]);
    return await startClient(options, { ...checked, ...parts, tunnel, module, material });
  } catch (error) {
    tunnel.close?.();
    throw error;
  }
}
