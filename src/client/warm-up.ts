import { createFetch } from '../fetch/fetch.js';
import { Cookies } from '../http/cookies/cookies.js';
import { HttpEngine } from '../http/http-engine.js';
import { Pool } from '../http/pool/pool.js';
import { TlsConnection } from '../tls/tls-connection.js';
import { TlsEngine } from '../tls/tls-engine.js';

const works = { HttpEngine, TlsEngine, TlsConnection, Pool, Cookies, createFetch };

/** A page that asks for something at once has done so by then. */
const START_MS = 100;

/** Of this page: what has run once is compiled. */
let begun = false;

/**
 * Has the engine and this library compiled before the first request, while the page does nothing: browsers compile a function when it is
 * called for the first time. Where nobody knows of idle times (Node, WebKit's pages, service workers), nothing is done.
 */
export class WarmUp {
  #controller = new AbortController();

  constructor(module: WebAssembly.Module) {
    const whenIdle = idleCallback();
    if (begun || !whenIdle) return;
    const { signal } = this.#controller;
    const begin = () => {
      if (begun || signal.aborted) return;
      begun = true;
      import('./dry-run.js').then(({ dryRun }) => dryRun(works, module, signal)).catch(() => {});
    };
    setTimeout(() => whenIdle(begin), START_MS);
  }

  /** Something real is to be done. */
  stop(): void {
    this.#controller.abort();
  }
}

/** Workers have no idle times. But nothing waits for their thread in order to draw, so there the next task will do. */
function idleCallback(): ((act: () => void) => void) | undefined {
  if (typeof requestIdleCallback === 'function') return requestIdleCallback;
  // Not in service workers: they are started again and again, and have no import().
  const waits = 'DedicatedWorkerGlobalScope' in globalThis || 'SharedWorkerGlobalScope' in globalThis;
  return waits ? setTimeout : undefined;
}
