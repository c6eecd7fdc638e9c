import type { KeyTarget } from '../identity/key-access.js';
import { TlsConnection } from '../tls/tls-connection.js';
import type { TlsEngine } from '../tls/tls-engine.js';
import type { Tunnel } from '../tunnel/tunnel.js';
import type { Authentication } from './authentication.js';
import type { ServerTrust } from './server-trust.js';

export interface Dialed {
  connection: TlsConnection;
  timings: { tunnelMs: number; handshakeMs: number };
  /** Whether the identity that was shown may be used further. */
  admits: () => boolean;
}

/** Opens TLS connections through a tunnel. */
export class Dialer {
  #tunnel: Tunnel;
  #tls: TlsEngine;
  #authentication: Authentication;
  #serverTrust: ServerTrust;

  constructor(parts: {
    tunnel: Tunnel;
    tls: TlsEngine;
    authentication: Authentication;
    serverTrust: ServerTrust;
  }) {
    this.#tunnel = parts.tunnel;
    this.#tls = parts.tls;
    this.#authentication = parts.authentication;
    this.#serverTrust = parts.serverTrust;
  }

  close(): void {
    this.#authentication.standing.close();
  }

  /** `signal` ends the dialling; a connection that stands does not listen to it any more. */
  async dial(target: KeyTarget, options: { alpn: readonly string[]; signal: AbortSignal }): Promise<Dialed> {
    const { alpn, signal } = options;
    signal.throwIfAborted();
    const authentication = await this.#authentication.prepare(target);
    const started = performance.now();
    // A tunnel's signal lives as long as its stream, the caller's does not.
    const lifetime = new AbortController();
    const abort = () => lifetime.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      const stream = await this.#tunnel.connect(target, { signal: lifetime.signal });
      const connected = performance.now();
      const { partition } = authentication;
      const connection = await TlsConnection.connect(this.#tls, stream, {
        hostname: target.hostname,
        partition,
        alpn,
        authenticate: authentication.authenticate,
        pins: this.#serverTrust.pinsFor(target),
        evaluateServer: question =>
          this.#serverTrust.evaluate(target, question, authentication.evaluateServer),
        absence: authentication.absence,
        signal: lifetime.signal,
      });
      const timings = { tunnelMs: connected - started, handshakeMs: performance.now() - connected };
      const { resumed } = connection.info;
      return { connection, timings, admits: authentication.admission({ partition, resumed }) };
    } catch (error) {
      lifetime.abort(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}
