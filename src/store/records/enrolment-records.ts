import type { Identity, IdentityControls, StoredIdentity } from '../../identity/types.js';
import { checkedControls } from '../controls.js';
import type { UserVerification } from '../verification/user-verification.js';
import { prepareWrapping, type Wrapping, type WrappingRequest } from '../verification/wrapped-key.js';
import type { Records } from './records.js';
import { type EnrolmentRecord, type IdentityRecord, toRecord } from './schema.js';

/** What an identity takes the place of. */
interface Replaced {
  enrolment: string;
  replaces: string | undefined;
}

interface EnrolmentRecordsOptions {
  verification: UserVerification;
  /** Keeps an identity in place of its enrolment. */
  insert(record: IdentityRecord, replaced: Replaced): Promise<StoredIdentity>;
}

/** @internal The enrolments that wait for their certificates. */
export class EnrolmentRecords {
  #records: Records;
  #options: EnrolmentRecordsOptions;

  constructor(records: Records, options: EnrolmentRecordsOptions) {
    this.#records = records;
    this.#options = options;
  }

  /** As `prepareWrapping`, by the verification of the store. */
  prepareWrapping(request: WrappingRequest): Promise<Wrapping | undefined> {
    return prepareWrapping(this.#options.verification, request);
  }

  async all(): Promise<EnrolmentRecord[]> {
    return (await this.#records.enrolments()).readable;
  }

  async put(record: EnrolmentRecord): Promise<void> {
    await this.#records.change(transaction => transaction.objectStore('enrolments').put(record));
  }

  async delete(id: string): Promise<void> {
    await this.#records.change(transaction => transaction.objectStore('enrolments').delete(id));
  }

  /**
   * The identity takes the place of the enrolment, with its id and its wrapped key, and of the identity that it renews, if any.
   *
   * @throws MtlsError ERR_IDENTITY_DUPLICATE, ERR_IDENTITY_NOT_FOUND (the enrolment was completed or cancelled)
   */
  async complete(
    { id, wrapped }: EnrolmentRecord,
    identity: Identity,
    { controls, replaces }: { controls: IdentityControls; replaces?: string },
  ): Promise<StoredIdentity> {
    const record = toRecord(identity, { id, controls: checkedControls(controls), wrapped });
    return this.#options.insert(record, { enrolment: id, replaces });
  }
}
