import { MtlsError } from '../errors.js';
import type { CertificateReader } from '../identity/certificates/certificate-reader.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import { changedControls } from '../store/controls.js';
import type { IdentityStore } from '../store/identity-store.js';
import type { EnrolmentRecord } from '../store/records/schema.js';
import { type CertificateSource, issuedChain } from './certificates.js';
import { requestToPem } from './request.js';

/** A key pair that waits for its certificate. */
export interface Enrolment<Result extends Identity = Identity> {
  /** A UUID. With a store, the identity will have it as its id. */
  readonly id: string;
  /** The certification request for the authority: PKCS#10 (RFC 2986), DER. */
  readonly request: Uint8Array<ArrayBuffer>;
  /** The same request as a PEM block, with a final newline. */
  readonly requestPem: string;
  /** The subject of the request, in the form of RFC 4514. The authority may certify another one. */
  readonly subject: string;
  /** When the key pair was made. */
  readonly createdAt: Date;
  /**
   * Joins the key with its certificate. With a store, the identity replaces the pending enrolment in one transaction.
   *
   * @param chain the issued certificate and its issuers, in any order and form
   * @param controls changes to the controls of `createIdentity`; `userVerification` cannot be changed
   * @throws MtlsError ERR_ENROLL_CERTIFICATE when none of the certificates is for this key, or one cannot be read;
   *   ERR_IDENTITY_NOT_FOUND when the enrolment has been completed or cancelled, perhaps in another tab;
   *   ERR_IDENTITY_DUPLICATE, ERR_STORE_QUOTA, ERR_STORE_UNAVAILABLE
   */
  complete(chain: CertificateSource, controls?: IdentityControls): Promise<Result>;
  /** Forgets the key. A certificate for it can no longer be used. */
  cancel(): Promise<void>;
}

/** @internal Where an enrolment waits, and its identity goes. */
interface Place<Result extends Identity> {
  /** `replaces`: the id of an identity that goes in the same transaction. */
  keep(identity: Identity, options: { controls: IdentityControls; replaces?: string }): Promise<Result>;
  forget(): Promise<void>;
}

/** @internal */
export function inStore(store: IdentityStore, record: EnrolmentRecord): Place<StoredIdentity> {
  return {
    keep: (identity, options) => store.enrolments.complete(record, identity, options),
    forget: () => store.enrolments.delete(record.id),
  };
}

/** @internal */
export const inMemory: Place<Identity> = {
  keep: async identity => identity,
  forget: async () => {},
};

/** @internal The store's records are no part of the package's types. */
export class PendingEnrolment<Result extends Identity> implements Enrolment<Result> {
  #record: EnrolmentRecord;
  #place: Place<Result>;
  #reader: CertificateReader;
  #over = false;

  constructor(record: EnrolmentRecord, parts: { place: Place<Result>; reader: CertificateReader }) {
    this.#record = record;
    this.#place = parts.place;
    this.#reader = parts.reader;
  }

  get id(): string {
    return this.#record.id;
  }

  get request(): Uint8Array<ArrayBuffer> {
    return this.#record.request.slice();
  }

  get requestPem(): string {
    return requestToPem(this.#record.request);
  }

  get subject(): string {
    return this.#record.subject;
  }

  get createdAt(): Date {
    return new Date(this.#record.createdAt);
  }

  async complete(chain: CertificateSource, controls: IdentityControls = {}): Promise<Result> {
    return this.replace(undefined, { chain, controls });
  }

  /** As `complete`, in place of another identity in the store. */
  async replace(
    replaced: string | undefined,
    answer: { chain: CertificateSource; controls?: IdentityControls },
  ): Promise<Result> {
    const { keys, publicKey } = this.#record;
    const controls = changedControls(this.#record.controls, answer.controls ?? {});
    const { label } = controls;
    const issued = await issuedChain(this.#reader, answer.chain, publicKey);
    if (this.#over) throw over();
    this.#over = true;
    try {
      return await this.#place.keep(
        { ...(label !== undefined && { label }), ...issued, keys },
        { controls, ...(replaced !== undefined && { replaces: replaced }) },
      );
    } catch (error) {
      // Nothing has been written: it may be tried again.
      this.#over = false;
      throw error;
    }
  }

  async cancel(): Promise<void> {
    this.#over = true;
    await this.#place.forget();
  }
}

function over(): MtlsError {
  return new MtlsError('ERR_IDENTITY_NOT_FOUND', 'This enrolment has been completed or cancelled.');
}
