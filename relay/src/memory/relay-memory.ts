/** From here on windows do not grow. */
const SCARCE = 1 / 2;
/** From here on pages get no credit and no further streams, and the queues to them shrink. */
const FULL = 3 / 4;

/** What one holder has: an address, or the subject of a JWT. */
interface Account {
  readonly name: string;
  heldBytes: number;
  /** Pages that count for it. */
  pages: number;
  /** To be called when memory is no longer full for it. */
  readonly waiting: Set<() => void>;
}

/**
 * What a relay holds of its pages' and targets' bytes, all connections together, and for whom.
 *
 * Where memory is scarce or full, that concerns those alone who hold an equal share or more: what one account has taken must not cost
 * the others theirs. Beyond the bound connections are dropped (`MemoryWatch`).
 */
export class RelayMemory {
  readonly #maxBytes: number;
  readonly #accounts = new Map<string, Account>();
  readonly #waiting = new Set<Account>();
  #heldBytes = 0;
  /** Accounts that hold something. */
  #holders = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The memory of a page, until it leaves. */
  page(account: string): PageMemory {
    return new PageMemory(this, account);
  }

  isScarceFor(account: Account): boolean {
    return this.#hasTaken(account, SCARCE * this.#maxBytes);
  }

  isFullFor(account: Account): boolean {
    return this.#hasTaken(account, FULL * this.#maxBytes);
  }

  enter(name: string): Account {
    const account = this.#accounts.get(name) ?? { name, heldBytes: 0, pages: 0, waiting: new Set() };
    this.#accounts.set(name, account);
    account.pages++;
    return account;
  }

  /** What the account still holds goes on counting. */
  leave(account: Account): void {
    account.pages--;
    if (account.pages === 0) this.#accounts.delete(account.name);
  }

  count(account: Account, bytes: number): void {
    const wasHolder = account.heldBytes > 0;
    account.heldBytes += bytes;
    this.#heldBytes += bytes;
    this.#holders += Number(account.heldBytes > 0) - Number(wasHolder);
    if (bytes < 0 && this.#waiting.size > 0) this.#relieve(account);
  }

  wait(account: Account, callback: () => void): void {
    account.waiting.add(callback);
    this.#waiting.add(account);
  }

  forget(account: Account, callback: () => void): void {
    account.waiting.delete(callback);
    if (account.waiting.size === 0) this.#waiting.delete(account);
  }

  /** Looks after those whose share has grown because others have left. */
  relieveAll(): void {
    for (const account of [...this.#waiting]) this.#relieveOne(account);
  }

  #relieve(account: Account): void {
    if (this.#heldBytes < FULL * this.#maxBytes) this.relieveAll();
    else this.#relieveOne(account);
  }

  #relieveOne(account: Account): void {
    if (!this.#waiting.has(account) || this.isFullFor(account)) return;
    this.#waiting.delete(account);
    const callbacks = [...account.waiting];
    account.waiting.clear();
    for (const callback of callbacks) callback();
  }

  /** Whether so much is taken in all, and an equal part of it by this account. */
  #hasTaken(account: Account, bytes: number): boolean {
    return this.#heldBytes >= bytes && account.heldBytes * this.#holders >= bytes;
  }
}

/** What one page holds, which counts for its account. */
export class PageMemory {
  readonly #memory: RelayMemory;
  #account: Account;
  #heldBytes = 0;

  constructor(memory: RelayMemory, account: string) {
    this.#memory = memory;
    this.#account = memory.enter(account);
  }

  get account(): string {
    return this.#account.name;
  }

  get isScarce(): boolean {
    return this.#memory.isScarceFor(this.#account);
  }

  get isFull(): boolean {
    return this.#memory.isFullFor(this.#account);
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#memory.count(this.#account, bytes);
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#memory.count(this.#account, -bytes);
  }

  /** Calls once, as soon as memory is no longer full; the same function is kept once. */
  whenRelieved(callback: () => void): void {
    this.#memory.wait(this.#account, callback);
  }

  forget(callback: () => void): void {
    this.#memory.forget(this.#account, callback);
  }

  /** From now on the page counts for another account, which has become known before anything waits. */
  moveTo(account: string): void {
    const bytes = this.#heldBytes;
    this.release(bytes);
    this.leave();
    this.#account = this.#memory.enter(account);
    this.hold(bytes);
  }

  leave(): void {
    this.#memory.leave(this.#account);
  }
}
