/** What one lost packet takes along. */
const SEGMENT_BYTES = 1460;
const DEFAULT_QUEUE_BYTES = 16 * 1024 * 1024;
const DEFAULT_RECOVERY_MS = 200;

/**
 * What happens to the bytes of one direction. Offsets count from the start of each connection.
 *
 * @typedef {object} Faults
 * @property {number} [delayMs] the way of each byte takes so long; the bandwidth is unaffected
 * @property {number} [jitterMs] at most so much more, at random; the order is kept
 * @property {number} [bytesPerSecond] the path's rate; default: no limit
 * @property {number} [pieceBytes] the size of what is written at once; default: what was read
 * @property {number} [lossRate] the share of segments that are lost, 0 to 1
 * @property {number} [recoveryMs] a lost segment, and all behind it, comes so much later; default 200
 * @property {number} [silentAfterBytes] nothing behind this offset arrives, an end neither
 * @property {{ afterBytes: number, how: Cut }} [cut] where the connection ends
 * @property {number} [queueBytes] what the path holds before the sender has to wait; default 16 MiB
 */

/**
 * `fin`: an orderly end of both directions. `half-fin`: of this one. `rst`: a reset of both.
 *
 * @typedef {'fin' | 'half-fin' | 'rst'} Cut
 */

/** The way of one connection's bytes from one socket to the other. */
export class Direction {
  #from;
  #to;
  #faults;
  #random;
  #openAt;
  #cut;
  /** In order: bytes, or the end of all, each with the time of its arrival. */
  #queue = [];
  #queuedBytes = 0;
  #lastAt = 0;
  #over = false;
  #timer;
  #waiting = false;
  /** Bytes that came in, and bytes that were passed on. */
  takenBytes = 0;
  passedBytes = 0;

  /**
   * @param {import('node:net').Socket} from
   * @param {import('node:net').Socket} to
   * @param {object} options
   * @param {() => Faults} options.faults those of now
   * @param {() => number} options.random 0 to 1
   * @param {number} options.openAt when the first byte can leave
   * @param {(how: Cut) => void} options.cut ends the connection
   */
  constructor(from, to, { faults, random, openAt, cut }) {
    this.#from = from;
    this.#to = to;
    this.#faults = faults;
    this.#random = random;
    this.#openAt = openAt;
    this.#cut = cut;
    from.on('data', bytes => this.#take(bytes));
    from.on('end', () => this.#enqueue({ end: 'half-fin' }));
    from.on('close', hadError => {
      if (hadError || !from.readableEnded) this.#enqueue({ end: 'rst' });
    });
    to.on('drain', () => this.#pump());
    to.on('close', () => this.stop());
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #take(bytes) {
    const { silentAfterBytes = Infinity, cut, queueBytes = DEFAULT_QUEUE_BYTES } = this.#faults();
    const room = Math.min(silentAfterBytes, cut?.afterBytes ?? Infinity) - this.takenBytes;
    this.takenBytes += bytes.length;
    if (room > 0) this.#enqueue({ bytes: bytes.subarray(0, room) });
    if (cut && this.takenBytes >= cut.afterBytes) this.#enqueue({ end: cut.how });
    if (this.#queuedBytes > queueBytes) this.#from.pause();
  }

  #enqueue(item) {
    if (this.#over) return;
    if (item.end && this.takenBytes >= (this.#faults().silentAfterBytes ?? Infinity)) return;
    this.#queue.push({ ...item, at: this.#arrival(item.bytes?.length ?? 0) });
    this.#queuedBytes += item.bytes?.length ?? 0;
    this.#pump();
  }

  #arrival(length) {
    const { delayMs = 0, jitterMs = 0, bytesPerSecond = Infinity, lossRate = 0, recoveryMs } = this.#faults();
    let at = Math.max(performance.now(), this.#openAt) + delayMs + this.#random() * jitterMs;
    for (let left = lossRate > 0 ? length : 0; left > 0; left -= SEGMENT_BYTES) {
      if (this.#random() < lossRate) at += recoveryMs ?? DEFAULT_RECOVERY_MS;
    }
    this.#lastAt = Math.max(at, this.#lastAt) + (length * 1000) / bytesPerSecond;
    return this.#lastAt;
  }

  #pump() {
    if (this.#waiting) return;
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && !this.#over && !this.#to.writableNeedDrain) {
      const waitMs = this.#queue[0].at - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      if (!this.#pass(this.#queue[0])) return;
    }
  }

  /** False: the rest waits for the next turn. */
  #pass(item) {
    if (item.end) {
      this.#queue.shift();
      this.#cut(item.end);
      return true;
    }
    const { pieceBytes = Infinity, queueBytes = DEFAULT_QUEUE_BYTES } = this.#faults();
    const piece = item.bytes.subarray(0, pieceBytes);
    item.bytes = item.bytes.subarray(piece.length);
    if (item.bytes.length === 0) this.#queue.shift();
    this.#queuedBytes -= piece.length;
    this.passedBytes += piece.length;
    this.#to.write(piece);
    if (this.#from.isPaused() && this.#queuedBytes <= queueBytes / 2) this.#from.resume();
    if (pieceBytes === Infinity) return true;
    this.#waiting = true;
    setImmediate(() => {
      this.#waiting = false;
      this.#pump();
    });
    return false;
  }
}
