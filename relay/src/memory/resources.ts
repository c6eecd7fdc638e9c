import { GrowthBudget } from '../../../src/tunnel/wire/receive-window.js';
import type { TargetConnector } from '../policy/connection/target-connector.js';
import { BufferPool } from './message-buffers.js';
import { type PageMemory, RelayMemory } from './relay-memory.js';

/** What is read from a target at a time. With the rest of a record before, and the header, it fits into 256 KiB. */
const READ_BYTES = 224 * 1024;

/** What all connections of a relay share. */
export class RelayResources {
  readonly targets: TargetConnector;
  readonly memory: RelayMemory;
  readonly buffers = new BufferPool();
  /** All targets are read into it: what is read leaves it before the next one is. */
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

  constructor({ maxBufferedBytes }: { maxBufferedBytes: number }, targets: TargetConnector) {
    this.targets = targets;
    this.memory = new RelayMemory(maxBufferedBytes);
  }
}

/** What the windows of a socket may grow by; nothing while memory is scarce for the page. */
export class MemoryBoundBudget extends GrowthBudget {
  readonly #memory: PageMemory;

  constructor(bytes: number, memory: PageMemory) {
    super(bytes);
    this.#memory = memory;
  }

  override take(bytes: number): number {
    return this.#memory.isScarce ? 0 : super.take(bytes);
  }
}
