export interface SlotLimits {
  /** Slots in all, and of one account. */
  total: number;
  perAccount: number;
  /** How many may wait for one, in all and of one account. */
  maxWaiting: number;
  maxWaitingPerAccount: number;
}

interface Account {
  running: number;
  /** Each takes a slot. */
  waiting: (() => void)[];
}

/** A bounded number of slots for work that accounts ask for; free ones go to the accounts in turn. */
export class FairSlots {
  readonly #limits: SlotLimits;
  readonly #accounts = new Map<string, Account>();
  #running = 0;
  #waiting = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  /** Slots that are taken. */
  get running(): number {
    return this.#running;
  }

  /**
   * Resolves with a function that gives the slot back, and with `undefined` at once when too many wait; rejects with the
   * signal's reason.
   */
  acquire(name: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const account = this.#accounts.get(name) ?? { running: 0, waiting: [] };
      if (!this.#hasRoom(account) && this.#isCrowded(account)) {
        resolve(undefined);
        return;
      }
      this.#accounts.set(name, account);
      const onAbort = () => {
        account.waiting.splice(account.waiting.indexOf(take), 1);
        this.#waiting--;
        if (account.running === 0 && account.waiting.length === 0) this.#accounts.delete(name);
        reject(signal.reason);
      };
      const take = () => {
        signal.removeEventListener('abort', onAbort);
        resolve(() => this.#release(name, account));
      };
      account.waiting.push(take);
      this.#waiting++;
      signal.addEventListener('abort', onAbort, { once: true });
      this.#grant();
    });
  }

  #grant(): void {
    for (const account of this.#accounts.values()) {
      if (!this.#hasRoom(account)) continue;
      const take = account.waiting.shift();
      if (!take) continue;
      this.#waiting--;
      this.#running++;
      account.running++;
      take();
    }
  }

  #release(name: string, account: Account): void {
    this.#running--;
    account.running--;
    // Behind the others, whose turn it is now.
    this.#accounts.delete(name);
    if (account.running > 0 || account.waiting.length > 0) this.#accounts.set(name, account);
    this.#grant();
  }

  #hasRoom(account: Account): boolean {
    return this.#running < this.#limits.total && account.running < this.#limits.perAccount;
  }

  #isCrowded(account: Account): boolean {
    const { maxWaiting, maxWaitingPerAccount } = this.#limits;
    return this.#waiting >= maxWaiting || account.waiting.length >= maxWaitingPerAccount;
  }
}
