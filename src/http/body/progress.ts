/** The progress of a body. */
export interface BodyProgress {
  /** Bytes so far. */
  bytes: number;
  /** Bytes of the whole body. Absent: the length is not known. */
  totalBytes?: number;
}

/** Called with the progress of a body. */
export type OnProgress = (progress: BodyProgress) => void;

/** Counts, and tells the page outside of what we are doing. */
export class ProgressCounter {
  #report: OnProgress;
  #totalBytes: number | undefined;
  #bytes = 0;

  constructor(report: OnProgress, totalBytes: number | undefined) {
    this.#report = report;
    this.#totalBytes = totalBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const progress: BodyProgress = { bytes: this.#bytes };
    if (this.#totalBytes !== undefined) progress.totalBytes = this.#totalBytes;
    Promise.resolve(progress).then(this.#report);
  }
}
