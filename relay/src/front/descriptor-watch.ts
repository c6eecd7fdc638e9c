import { close, open } from 'node:fs';
import { devNull } from 'node:os';

const INTERVAL_MS = 1000;

/**
 * Tells when the process has run out of file descriptors, and when it has them again. The system's own error does not show:
 * connections are then accepted and closed below Node.
 */
export class DescriptorWatch {
  readonly #report: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #exhausted = false;

  constructor(report: (message: string) => void) {
    this.#report = report;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    open(devNull, 'r', (error, descriptor) => {
      if (!error) close(descriptor, () => {});
      const exhausted = error?.code === 'EMFILE' || error?.code === 'ENFILE';
      if (exhausted === this.#exhausted) return;
      this.#exhausted = exhausted;
      this.#report(
        exhausted
          ? `no file descriptors are left (${error.code}): new connections are dropped; raise the limit (ulimit -n), or lower --max-connections and --max-unproven`
          : 'file descriptors are free again',
      );
    });
  }
}
