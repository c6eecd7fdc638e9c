import type { ChallengeHandler } from '../authentication/challenge.js';
import type { ObservedRequest, RequestObserver } from '../http/pool/request-observer.js';
import type { HostPort } from '../util/host-port.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { DialWatch } from './dial-watch.js';
import type { DiagnosticEvent } from './events.js';
import { Timeline } from './timeline.js';

/** The option `diagnostics` of `createClient`. The browser's network panel does not show the client's requests. */
export interface DiagnosticsOptions {
  /**
   * Called after each connection, handshake, challenge and step of a request. An error that it throws is an `unhandledrejection`. Default:
   * none.
   */
  onEvent?: (event: DiagnosticEvent) => void;
  /**
   * Whether to add connections, handshakes, challenges and requests to the performance timeline. Chromium's developer tools show them as a
   * track. The entries stay until `performance.clearMeasures()` is called. Default: false.
   */
  performanceTimeline?: boolean;
}

const names: OptionNames<DiagnosticsOptions> = { onEvent: true, performanceTimeline: true };

/** @throws TypeError */
export function readDiagnostics(options: DiagnosticsOptions = {}): Diagnostics {
  checkOptionNames(options, names, 'diagnostics.');
  const { onEvent, performanceTimeline = false } = options;
  if (onEvent !== undefined && typeof onEvent !== 'function')
    throw new TypeError('"diagnostics.onEvent" must be a function');
  if (typeof performanceTimeline !== 'boolean')
    throw new TypeError('"diagnostics.performanceTimeline" must be true or false');
  return new Diagnostics(onEvent, performanceTimeline ? new Timeline() : undefined);
}

/** Tells what a client does. Loaded where a client has the option. */
export class Diagnostics implements RequestObserver {
  #onEvent: ((event: DiagnosticEvent) => void) | undefined;
  #timeline: Timeline | undefined;
  #requests = 0;

  constructor(onEvent: ((event: DiagnosticEvent) => void) | undefined, timeline: Timeline | undefined) {
    this.#onEvent = onEvent;
    this.#timeline = timeline;
  }

  emit(event: DiagnosticEvent): void {
    this.#timeline?.add(event);
    if (this.#onEvent) Promise.resolve(event).then(this.#onEvent);
  }

  begin({ method, url }: { method: string; url: URL }): ObservedRequest {
    const requestId = ++this.#requests;
    const startTime = performance.now();
    const since = () => performance.now() - startTime;
    this.emit({ type: 'request', requestId, method, url: shown(url), startTime });
    return {
      retried: (error, pauseMs) => this.emit({ type: 'retry', requestId, pauseMs, error }),
      answered: response => this.emit({ type: 'response', requestId, durationMs: since(), ...response }),
      ended: outcome =>
        this.emit({ type: 'request-end', requestId, startTime, durationMs: since(), ...outcome }),
    };
  }

  /** Tells how a connection is made. */
  watch(connectionId: number, target: HostPort): DialWatch {
    return new DialWatch(event => this.emit(event), { connectionId, target });
  }

  /** The handler, with each answer told. */
  observed(handler: ChallengeHandler): ChallengeHandler {
    return async challenge => {
      const { method, host, port } = challenge;
      const startTime = performance.now();
      const told = () => ({ method, host, port, startTime, durationMs: performance.now() - startTime });
      try {
        const answer = await handler(challenge);
        this.emit({ type: 'challenge', ...told(), disposition: answer?.disposition });
        return answer;
      } catch (error) {
        this.emit({ type: 'challenge', ...told(), error });
        throw error;
      }
    };
  }
}

/** Without what is a secret, or stays in the page. */
function shown(url: URL): string {
  const address = new URL(url);
  address.username = '';
  address.password = '';
  address.hash = '';
  return address.href;
}
