/** The page is let go on about so often. */
const TURN_MS = 8;

/** Gives the page its turn in work that goes on for long. */
export class Turns {
  #lastMs = performance.now();

  /** Call in each loop. Timers and events come when the work has gone on for a while. */
  async next(): Promise<void> {
    if (performance.now() - this.#lastMs <= TURN_MS) return;
    await nextTask();
    this.#lastMs = performance.now();
  }
}

/** Lets the page paint and handle events: a task's end, without the delay that timers have. */
export function nextTask(): Promise<void> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
