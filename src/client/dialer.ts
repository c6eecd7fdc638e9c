import { MtlsError } from '../errors.js';
import type { Admission } from '../http/plaintext-stream.js';
import type { KeyTarget } from '../identity/key-access.js';
import { verifySignature } from '../identity/verify-signature.js';
import { TlsConnection } from '../tls/tls-connection.js';
import type { TlsEngine } from '../tls/tls-engine.js';
import type { Tunnel, TunnelStream } from '../tunnel/tunnel.js';
import type { Authentication } from './authentication.js';
import type { ConnectionAuthentication } from './connection-authentication.js';
import { HandshakeTimer } from './handshake-timer.js';
import { HungUp, ReadAheadStream } from './read-ahead-stream.js';
import type { Judge, ServerTrust } from './server-trust.js';

export interface Dialed {
  connection: TlsConnection;
  timings: { tunnelMs: number; handshakeMs: number };
  admission: Admission;
  /** Why the server got no certificate although it asked for one, for people. */
  absence: string | undefined;
  authentication: ConnectionAuthentication;
}

export interface DialOptions {
  alpn: readonly string[];
  signal: AbortSignal;
  /** Whether the server has something to say on every connection, as with HTTP. */
  expectsData?: boolean;
  /** Of another connection to the target, whose answers are to be used again. */
  authentication?: ConnectionAuthentication;
}

interface AttemptOptions extends DialOptions {
  authentication: ConnectionAuthentication;
  judge: Judge;
}

/** One handshake asks three things of a person at most: the server's trust, the identity, and to confirm its use. */
const MAX_ATTEMPTS = 5;

/** Opens TLS connections through a tunnel. */
export class Dialer {
  #tunnel: Tunnel;
  #tls: TlsEngine;
  #authentication: Authentication;
  #serverTrust: ServerTrust;
  #timeoutMs: number;

  constructor(parts: {
    tunnel: Tunnel;
    tls: TlsEngine;
    authentication: Authentication;
    serverTrust: ServerTrust;
    /** How long a server may take over its part of a handshake. */
    timeoutMs: number;
  }) {
    this.#tunnel = parts.tunnel;
    this.#tls = parts.tls;
    this.#authentication = parts.authentication;
    this.#serverTrust = parts.serverTrust;
    this.#timeoutMs = parts.timeoutMs;
  }

  close(): void {
    this.#authentication.usage.close();
  }

  /**
   * `signal` ends the dialling; a connection that stands does not listen to it any more. A server that hung up while a person
   * (or the hook `trust.evaluate`) was making up their mind is dialled again, with the answer; so is one for which the choice was
   * overtaken by a change of the identities.
   */
  async dial(target: KeyTarget, options: DialOptions): Promise<Dialed> {
    options.signal.throwIfAborted();
    let authentication = options.authentication ?? (await this.#authentication.prepare(target));
    const judge = this.#serverTrust.judge(target);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(target, { ...options, authentication, judge });
      } catch (error) {
        if (error instanceof HungUp) {
          if (attempt === MAX_ATTEMPTS) throw new MtlsError('ERR_TLS_TRUNCATED', error.message);
        } else {
          if (attempt === MAX_ATTEMPTS || !(await authentication.isOutdated(error))) throw error;
          authentication = await this.#authentication.prepare(target);
        }
      }
    }
  }

  async #attempt(
    target: KeyTarget,
    { alpn, signal, expectsData, authentication, judge }: AttemptOptions,
  ): Promise<Dialed> {
    const started = performance.now();
    const lifetime = new AbortController();
    const abort = () => lifetime.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const timer = new HandshakeTimer(this.#timeoutMs, reason => lifetime.abort(reason));
    const given = <T>(answer: () => Promise<T>) => timer.without(() => withReason(answer));
    try {
      signal.throwIfAborted();
      const stream = new ReadAheadStream(await this.#openTunnel(target, lifetime.signal));
      timer.begin();
      const connected = performance.now();
      const sessions = authentication.begin();
      const connection = await TlsConnection.connect(this.#tls, stream, {
        hostname: target.hostname,
        partition: sessions.partition,
        alpn,
        authenticate: async request => {
          const credential = await given(() =>
            stream.during(() => authentication.authenticate(request, lifetime.signal)),
          );
          // The store may ask its user once more before the key is used.
          return (
            credential && {
              ...credential,
              sign: (scheme, message) => given(() => credential.sign(scheme, message)),
            }
          );
        },
        pins: this.#serverTrust.pinsFor(target),
        evaluateServer: question =>
          given(() =>
            stream.during(() => judge(question, it => authentication.evaluateServer(it, lifetime.signal))),
          ),
        verifySignature,
        absence: authentication.absence,
        onRefused: authentication.noteRefusal,
        expectsData,
        signal: lifetime.signal,
      });
      const timings = { tunnelMs: connected - started, handshakeMs: performance.now() - connected };
      const basis = authentication.basis({ resumed: connection.info.resumed, sessions });
      return {
        connection,
        timings,
        admission: authentication.admission(basis),
        absence: basis.absence,
        authentication,
      };
    } catch (error) {
      lifetime.abort(error);
      throw error;
    } finally {
      timer.stop();
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * A tunnel's signal lives as long as its stream. `dialling` ends the way there alone: afterwards the stream is ended by whoever has
   * it, with an alert for the server.
   */
  async #openTunnel(target: KeyTarget, dialling: AbortSignal): Promise<TunnelStream> {
    const lifetime = new AbortController();
    const abort = () => lifetime.abort(dialling.reason);
    dialling.addEventListener('abort', abort, { once: true });
    try {
      return await this.#tunnel.connect(target, { signal: lifetime.signal });
    } finally {
      dialling.removeEventListener('abort', abort);
    }
  }
}

/** Nothing, when it is thrown, would be lost on its way to whoever waits. */
async function withReason<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    const message =
      'A callback (challenge handler, trust.evaluate, user verification) failed and gave no reason.';
    throw error ?? new MtlsError('ERR_TLS_CHALLENGE_CANCELLED', message);
  }
}
