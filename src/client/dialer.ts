import type { Authentication } from '../authentication/authentication.js';
import type { ConnectionAuthentication } from '../authentication/connection-authentication.js';
import type { Diagnostics } from '../diagnostics/diagnostics.js';
import type { ClientCredential } from '../engine/credential.js';
import { MtlsError } from '../errors.js';
import type { Admission } from '../http/plaintext-stream.js';
import { verifySignature } from '../identity/signatures/verify-signature.js';
import { TlsConnection } from '../tls/tls-connection.js';
import type { TlsEngine } from '../tls/tls-engine.js';
import { isSocketLoss } from '../tunnel/errors/close-error.js';
import type { Tunnel, TunnelStream } from '../tunnel/tunnel.js';
import type { HostPort } from '../util/host-port.js';
import { linkedController } from '../util/promises.js';
import { AnswerWait, HungUp } from './answer-wait.js';
import { HandshakeTimer } from './handshake-timer.js';
import { ReadAheadStream } from './read-ahead-stream.js';
import type { Judge, ServerTrust } from './server-trust.js';

export interface Dialed {
  connectionId: number;
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
  #diagnostics: Diagnostics | undefined;
  #connections = 0;

  constructor(parts: {
    tunnel: Tunnel;
    tls: TlsEngine;
    authentication: Authentication;
    serverTrust: ServerTrust;
    /** How long a server may take over its part of a handshake. */
    timeoutMs: number;
    diagnostics?: Diagnostics | undefined;
  }) {
    this.#tunnel = parts.tunnel;
    this.#tls = parts.tls;
    this.#authentication = parts.authentication;
    this.#serverTrust = parts.serverTrust;
    this.#timeoutMs = parts.timeoutMs;
    this.#diagnostics = parts.diagnostics;
  }

  close(): void {
    this.#authentication.close();
    this.#tunnel.close?.();
  }

  /**
   * `signal` ends the dialling; a connection that stands does not listen to it any more. A server that hung up while a person
   * (or the hook `trust.evaluate`) was making up their mind is dialled again, with the answer; so is one for which the choice was
   * overtaken by a change of the identities; and so, once, is one from which nothing had come when the tunnel broke: a WebSocket that
   * was open may have been dead without knowing.
   */
  async dial(target: HostPort, options: DialOptions): Promise<Dialed> {
    options.signal.throwIfAborted();
    let authentication = options.authentication ?? (await this.#authentication.prepare(target));
    const judge = this.#serverTrust.judge(target);
    let losses = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(target, { ...options, authentication, judge });
      } catch (error) {
        if (error instanceof HungUp) {
          if (attempt === MAX_ATTEMPTS) throw new MtlsError('ERR_TLS_TRUNCATED', error.message);
        } else if (error instanceof LostUnheard) {
          if (++losses > 1) throw error.cause;
        } else {
          if (attempt === MAX_ATTEMPTS || !(await authentication.isOutdated(error))) throw error;
          authentication = await this.#authentication.prepare(target);
        }
      }
    }
  }

  async #attempt(
    target: HostPort,
    { alpn, signal, expectsData, authentication, judge }: AttemptOptions,
  ): Promise<Dialed> {
    const connectionId = ++this.#connections;
    const watch = this.#diagnostics?.watch(connectionId, target);
    const startMs = performance.now();
    const { controller, unlink } = linkedController(signal);
    const timer = new HandshakeTimer(this.#timeoutMs, reason => controller.abort(reason));
    let stream: ReadAheadStream | undefined;
    try {
      signal.throwIfAborted();
      stream = new ReadAheadStream(await this.#openTunnel(target, controller.signal));
      const wait = new AnswerWait(timer, stream);
      timer.begin();
      const connectedMs = performance.now();
      watch?.opened();
      const sessions = authentication.begin();
      const connection = await TlsConnection.connect(this.#tls, stream, {
        hostname: target.hostname,
        partition: sessions.partition,
        alpn,
        authenticate: async request => {
          const credential = await wait.for(() => authentication.authenticate(request, controller.signal));
          return credential && patient(credential, wait);
        },
        pins: this.#serverTrust.pinsFor(target),
        evaluateServer: question =>
          wait.for(() => judge(question, it => authentication.evaluateServer(it, controller.signal))),
        verifySignature,
        absence: authentication.absence,
        onRefused: authentication.endSessions,
        expectsData,
        signal: controller.signal,
      });
      stream.pass();
      watch?.agreed(connection.info);
      const timings = { tunnelMs: connectedMs - startMs, handshakeMs: performance.now() - connectedMs };
      const basis = authentication.basis({ resumed: connection.info.resumed, sessions });
      return {
        connection,
        connectionId,
        timings,
        admission: authentication.admission(basis),
        absence: basis.absence,
        authentication,
      };
    } catch (error) {
      controller.abort(error);
      watch?.failed(error);
      throw stream?.heard === false && isSocketLoss(error) ? new LostUnheard(error) : error;
    } finally {
      timer.stop();
      unlink();
    }
  }

  /**
   * A tunnel's signal lives as long as its stream. `dialling` ends the way there alone: afterwards the stream is ended by whoever has
   * it, with an alert for the server.
   */
  async #openTunnel(target: HostPort, dialling: AbortSignal): Promise<TunnelStream> {
    const { controller, unlink } = linkedController(dialling);
    try {
      return await this.#tunnel.connect(target, { signal: controller.signal });
    } finally {
      unlink();
    }
  }
}

/** The tunnel broke before the server had said anything. */
class LostUnheard extends Error {
  constructor(cause: unknown) {
    super('The tunnel broke before the server had said anything.', { cause });
  }
}

/** The store may ask its user once more before the key is used. */
function patient(credential: ClientCredential, wait: AnswerWait): ClientCredential {
  return { ...credential, sign: (scheme, message) => wait.for(() => credential.sign(scheme, message)) };
}
