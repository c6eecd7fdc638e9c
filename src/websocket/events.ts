/** The platform's CloseEvent; Node has none before version 23. */
class OwnCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(type: string, init: CloseEventInit = {}) {
    super(type);
    this.code = init.code ?? 0;
    this.reason = init.reason ?? '';
    this.wasClean = init.wasClean ?? false;
  }
}

export function closeEvent(init: CloseEventInit): Event {
  const Platform = (globalThis as { CloseEvent?: typeof CloseEvent }).CloseEvent;
  return Platform ? new Platform('close', init) : new OwnCloseEvent('close', init);
}

/** The event `error` of a `client.WebSocket`, with the reason. */
export class WebSocketErrorEvent extends Event {
  /** The reason: an `MtlsError`, or the error that a challenge handler threw. */
  readonly error: unknown;
  /** The message of `error`. */
  readonly message: string;

  /** Takes what the platform's `ErrorEvent` takes: libraries copy events by `new event.constructor(event.type, event)`. */
  constructor(type: string, { error, message = '' }: { error?: unknown; message?: string } = {}) {
    super(type);
    this.error = error;
    this.message = message;
  }
}

export function errorEvent(error: unknown): WebSocketErrorEvent {
  const message = error instanceof Error ? error.message : '';
  return new WebSocketErrorEvent('error', { error, message });
}
