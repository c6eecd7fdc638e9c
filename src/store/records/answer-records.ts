import { openChannel } from '../tabs/channel.js';
import { isReadableAnswer } from './readable.js';
import type { Records } from './records.js';
import type { AnswerRecord } from './schema.js';

/** @internal What was answered to challenges for good: for clients, which know what it means. One that cannot be read holds for nothing. */
export class AnswerRecords {
  /** How often they have changed since the store was opened, in this tab or another one. */
  changes = 0;
  #records: Records;
  #channel: BroadcastChannel | undefined;

  constructor(storeName: string, records: Records) {
    this.#records = records;
    // The message holds nothing to be believed: clients read the database again.
    this.#channel = openChannel(`browser-mtls:${storeName}:answers`, () => this.changes++);
  }

  /** @param host `host:port` */
  async of(host: string): Promise<AnswerRecord[]> {
    const { readable } = await this.#records.sorted('answers', isReadableAnswer, database =>
      database.getAllKeysFromIndex('answers', 'host', host),
    );
    return readable;
  }

  async all(): Promise<AnswerRecord[]> {
    return (await this.#records.sorted('answers', isReadableAnswer)).readable;
  }

  async put(record: AnswerRecord): Promise<void> {
    await this.#records.change(transaction => transaction.objectStore('answers').put(record));
    this.#tell();
  }

  /** Deletes the answers that `matches` holds for, and those that cannot be read. */
  async delete(matches: (record: AnswerRecord) => boolean): Promise<void> {
    const { unreadable } = await this.#records.sorted('answers', isReadableAnswer);
    await this.#records.change(async transaction => {
      const answers = transaction.objectStore('answers');
      for (const { id } of unreadable) await answers.delete(id);
      for (const record of await answers.getAll()) if (matches(record)) await answers.delete(record.key);
    });
    this.#tell();
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  #tell(): void {
    this.changes++;
    this.#channel?.postMessage(undefined);
  }
}
