import type { Records } from './records.js';
import type { AnswerRecord } from './schema.js';

/** @internal What was answered to challenges for good: for clients, which know what it means. */
export class AnswerRecords {
  #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** @param host `host:port` */
  of(host: string): Promise<AnswerRecord[]> {
    return this.#records.read(database => database.getAllFromIndex('answers', 'host', host));
  }

  all(): Promise<AnswerRecord[]> {
    return this.#records.read(database => database.getAll('answers'));
  }

  async put(record: AnswerRecord): Promise<void> {
    await this.#records.change(transaction => transaction.objectStore('answers').put(record));
  }

  /** Deletes the answers that `matches` holds for. */
  async delete(matches: (record: AnswerRecord) => boolean): Promise<void> {
    await this.#records.change(async transaction => {
      const answers = transaction.objectStore('answers');
      for (const record of await answers.getAll()) if (matches(record)) await answers.delete(record.key);
    });
  }
}
