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
 * called for the first time. Where a page has no idle times (workers, Node, WebKit), nothing is done.
 */
export class WarmUp {
  #controller = new AbortController();

  constructor(module: WebAssembly.Module) {
    if (begun || typeof requestIdleCallback !== 'function') return;
    const { signal } = this.#controller;
    const begin = () => {
      if (begun || signal.aborted) return;
      begun = true;
      import('./dry-run.js').then(({ dryRun }) => dryRun(works, module, signal)).catch(() => {});
    };
    setTimeout(() => requestIdleCallback(begin), START_MS);
  }

  /** Something real is to be done. */
  stop(): void {
    this.#controller.abort();
  }
}
