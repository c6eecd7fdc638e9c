/** A browser with one page, driven from outside. */
export interface BrowserEngine {
  name: string;
  open(url: string): Promise<void>;
  reload(): Promise<void>;
  /**
   * Runs a function in the page, which uses nothing from outside, and gives what it resolves with.
   *
   * @param act a function, or the text of one
   * @param args JSON
   */
  run<Args extends unknown[], Result>(
    act: ((...args: Args) => Result | Promise<Result>) | string,
    ...args: Args
  ): Promise<Result>;
  /** Ends the browser and all that it started. */
  close(): Promise<void>;
}

/** As text: what the driver would make of a function differs. */
export function callOf(act: ((...args: never[]) => unknown) | string, args: unknown[]): string {
  return `(${act})(...${JSON.stringify(args)})`;
}
