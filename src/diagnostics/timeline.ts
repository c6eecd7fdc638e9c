import { describeError } from '../errors.js';
import type {
  ConnectionEvent,
  DiagnosticEvent,
  HandshakeEvent,
  RequestEvent,
  ResponseEvent,
} from './events.js';

const TRACK = 'browser-mtls';

/** What is known of a request that is under way. */
interface Underway {
  request: RequestEvent;
  response?: ResponseEvent;
  retries: number;
}

/** Puts what has a duration into the performance timeline (User Timing Level 3). */
export class Timeline {
  #requests = new Map<number, Underway>();

  add(event: DiagnosticEvent): void {
    switch (event.type) {
      case 'request':
        this.#requests.set(event.requestId, { request: event, retries: 0 });
        return;
      case 'response': {
        const underway = this.#requests.get(event.requestId);
        if (underway) underway.response = event;
        return;
      }
      case 'retry': {
        const underway = this.#requests.get(event.requestId);
        if (underway) underway.retries++;
        return;
      }
      case 'request-end': {
        const underway = this.#requests.get(event.requestId);
        this.#requests.delete(event.requestId);
        if (!underway) return;
        const { method, url } = underway.request;
        measure(event, `${method} ${url}`, { ...requestProperties(underway), 'body bytes': event.bodyBytes });
        return;
      }
      case 'connection':
        measure(event, `connection to ${event.host}:${event.port}`, connectionProperties(event));
        return;
      case 'handshake':
        measure(event, `TLS handshake with ${event.host}:${event.port}`, connectionProperties(event));
        return;
      case 'challenge':
        measure(event, `challenge ${event.method} of ${event.host}:${event.port}`, {
          answer: event.disposition,
        });
        return;
    }
  }
}

function requestProperties({ response, retries }: Underway): Record<string, unknown> {
  return {
    status: response?.status,
    protocol: response?.protocol,
    connection: response?.connectionId,
    'time to the head, ms': response?.durationMs,
    retries,
  };
}

function connectionProperties(event: ConnectionEvent | HandshakeEvent): Record<string, unknown> {
  const agreed = event.type === 'handshake' ? event.agreed : undefined;
  return { connection: event.connectionId, ...agreed };
}

/** `detail.devtools` is what Chromium's developer tools make a track of. */
function measure(
  { startTime, durationMs, error }: { startTime: number; durationMs: number; error?: unknown },
  name: string,
  details: Record<string, unknown>,
): void {
  // An error itself cannot be cloned everywhere.
  const told = { ...details, error: error === undefined ? undefined : describeError(error).code };
  const properties = Object.entries(told)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, String(value)]);
  performance.measure(name, {
    start: startTime,
    duration: durationMs,
    detail: {
      ...Object.fromEntries(properties),
      devtools: {
        dataType: 'track-entry',
        track: TRACK,
        color: error === undefined ? 'primary' : 'error',
        properties,
      },
    },
  });
}
