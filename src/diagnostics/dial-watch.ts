import type { TlsInfo } from '../tls/types.js';
import type { HostPort } from '../util/host-port.js';
import type { DiagnosticEvent } from './events.js';

/** Tells how one connection is made. */
export class DialWatch {
  #emit: (event: DiagnosticEvent) => void;
  #server: { connectionId: number; host: string; port: number };
  #step: 'connection' | 'handshake' = 'connection';
  #startTime = performance.now();

  constructor(
    emit: (event: DiagnosticEvent) => void,
    { connectionId, target: { hostname, port } }: { connectionId: number; target: HostPort },
  ) {
    this.#emit = emit;
    this.#server = { connectionId, host: hostname, port };
  }

  /** The way to the server is open; the handshake begins. */
  opened(): void {
    this.#emit({ type: 'connection', ...this.#server, ...this.#time() });
    this.#step = 'handshake';
    this.#startTime = performance.now();
  }

  agreed({ version, serverChain: _, ...agreed }: TlsInfo): void {
    this.#emit({
      type: 'handshake',
      ...this.#server,
      ...this.#time(),
      agreed: { tlsVersion: version, ...agreed },
    });
  }

  failed(error: unknown): void {
    this.#emit({ type: this.#step, ...this.#server, ...this.#time(), error });
  }

  #time(): { startTime: number; durationMs: number } {
    return { startTime: this.#startTime, durationMs: performance.now() - this.#startTime };
  }
}
