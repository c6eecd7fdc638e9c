import { MtlsError } from '../errors.js';
import { setKeyAccess } from '../identity/key-access.js';
import { forgetSealedCopy, hasSealedCopy } from '../identity/keys/sealed-key.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import type { HostPort } from '../util/host-port.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../util/options.js';
import { assertUsable, isLocked } from './assert-usable.js';
import { changedControls, checkedControls, checkKeys } from './controls.js';
import { noSealedCopy } from './errors.js';
import { compileQuery, type IdentityQuery } from './query.js';
import { AnswerRecords } from './records/answer-records.js';
import { EnrolmentRecords } from './records/enrolment-records.js';
import { type JournalEntry, withEntry } from './records/journal.js';
import { isReadableIdentity, readableEntries } from './records/readable.js';
import { Records, type UnreadableIdentity } from './records/records.js';
import { type IdentityRecord, ownChains, present, toRecord } from './records/schema.js';
import { type BrowserSession, joinSession } from './tabs/browser-session.js';
import { type ChangeListener, Changes } from './tabs/changes.js';
import type { UserVerification } from './verification/user-verification.js';
import { Vault } from './verification/vault.js';
import { webAuthnVerification } from './verification/webauthn-verification.js';
import { prepareWrapping, rewrapKey } from './verification/wrapped-key.js';

/** Options of `IdentityStore.open`. */
export interface StoreOptions {
  /** The name of the IndexedDB database. Default: `browser-mtls`. */
  name?: string;
  /** How the person confirms the use of an identity with `userVerification: 'required'`. Default: `webAuthnVerification()`. */
  verification?: UserVerification;
  /**
   * How long an unwrapped key stays in the memory of this tab after the person has confirmed, in milliseconds. A shorter `idleTimeoutMs`
   * ends it earlier. From 1,000 to 86,400,000; default 300,000.
   */
  unlockedForMs?: number;
}

const DEFAULT_NAME = 'browser-mtls';
const DEFAULT_UNLOCKED_FOR_MS = 5 * 60_000;
const UNLOCKED_FOR_MS_RANGE = { min: 1_000, max: 24 * 60 * 60_000 };
const names: OptionNames<StoreOptions> = { name: true, verification: true, unlockedForMs: true };

/**
 * The keychain of an origin (`docs/keychain.md`): identities in IndexedDB, with keys as non-extractable CryptoKeys, or wrapped.
 *
 * Each change is one transaction. Every method rejects with ERR_STORE_UNAVAILABLE if the browser refuses storage, if the store was closed,
 * or if a newer version of the page has taken it over.
 */
export class IdentityStore {
  /** @internal For clients. */
  readonly answers: AnswerRecords;
  /** @internal For `createIdentity` and what follows it. */
  readonly enrolments: EnrolmentRecords;
  #records: Records;
  #changes: Changes;
  #vault: Vault;
  #verification: UserVerification;
  #session: BrowserSession | undefined;

  /**
   * Opens the store, and creates it if there is none. Identities of an ended session are deleted.
   *
   * @throws MtlsError ERR_STORE_UNAVAILABLE, ERR_STORE_QUOTA
   */
  static async open(options: StoreOptions = {}): Promise<IdentityStore> {
    checkOptionNames(options, names);
    const { name = DEFAULT_NAME, unlockedForMs = DEFAULT_UNLOCKED_FOR_MS } = options;
    checkedInteger('unlockedForMs', unlockedForMs, UNLOCKED_FOR_MS_RANGE);
    const records = await Records.open(name);
    const verification = options.verification ?? webAuthnVerification();
    try {
      const session = await joinSession(name, {
        readSession: () => records.read(database => database.get('state', 'session')),
        beginSession: id => records.beginSession(id),
      });
      const store = new IdentityStore({ name, records, session, verification, unlockedForMs });
      await store.#changes.ready;
      return store;
    } catch (error) {
      records.close();
      throw error;
    }
  }

  private constructor(parts: {
    name: string;
    records: Records;
    session: BrowserSession | undefined;
    verification: UserVerification;
    unlockedForMs: number;
  }) {
    this.#records = parts.records;
    this.answers = new AnswerRecords(parts.name, parts.records);
    this.enrolments = new EnrolmentRecords(parts.records, {
      verification: parts.verification,
      insert: (record, replaced) => this.#insert(record, replaced),
    });
    this.#session = parts.session;
    this.#verification = parts.verification;
    this.#changes = new Changes(parts.name, () => parts.records.ids());
    this.#vault = new Vault({
      verification: parts.verification,
      unlockedForMs: parts.unlockedForMs,
      onChange: change => this.#changes.tell(change, 'here'),
    });
    this.#changes.guard(({ type, id }) => {
      if (type !== 'added' && type !== 'unlocked') this.#vault.forget(id);
    });
  }

  /** @internal For clients: another number after each change, of this tab or another one. */
  get revision(): number {
    return this.#changes.count + this.answers.changes;
  }

  /**
   * Stores an identity. With `userVerification: 'required'` the person is asked now, and only the wrapped key is stored. The identity must
   * then be opened by `openPkcs12` with `sealedCopy: true`.
   *
   * @param controls rules for the identity. Without `hosts` it goes only where a challenge handler names it.
   * @param options `signal`: ends the question to the person
   * @throws MtlsError ERR_IDENTITY_DUPLICATE if the store has its certificate already, ERR_STORE_QUOTA,
   *   ERR_IDENTITY_NO_SEALED_COPY, ERR_VERIFICATION_FAILED, ERR_VERIFICATION_UNAVAILABLE
   * @throws TypeError for extractable keys, and for a malformed control or host pattern
   */
  async add(
    identity: Identity,
    controls: IdentityControls = {},
    options: { signal?: AbortSignal } = {},
  ): Promise<StoredIdentity> {
    checkKeys(identity);
    const label = controls.label ?? identity.label;
    const checked = checkedControls({ ...controls, ...(label !== undefined && { label }) });
    // Check first, so that nobody is prompted in vain.
    await this.#records.assertNew(identity.certificate.fingerprint);
    this.#sessionOf(checked);
    if (checked.userVerification === 'required' && !hasSealedCopy(identity.keys)) throw noSealedCopy();
    const id = crypto.randomUUID();
    const wrapping = await prepareWrapping(this.#verification, {
      id,
      controls: checked,
      label: checked.label ?? identity.certificate.subject,
      ...options,
    });
    const wrapped = wrapping && (await rewrapKey(identity.keys, wrapping));
    const stored = await this.#insert(toRecord(identity, { id, controls: checked, wrapped }));
    // From a copy, a script that gets hold of the identity would have the key without the person.
    if (wrapped) forgetSealedCopy(identity.keys);
    return stored;
  }

  /** The identities that match a query, oldest first. Without a query: all of them. */
  async find(query: IdentityQuery = {}): Promise<StoredIdentity[]> {
    const matches = compileQuery(query);
    const { readable } = await this.#records.all();
    return readable.map(it => this.#present(it)).filter(matches);
  }

  /**
   * The identities and pending enrolments that cannot be read. `find` and `pendingEnrolments` leave them out; `delete({ id })` deletes
   * them.
   */
  async problems(): Promise<UnreadableIdentity[]> {
    const [identities, enrolments] = await Promise.all([this.#records.all(), this.#records.enrolments()]);
    return [...identities.unreadable, ...enrolments.unreadable];
  }

  /**
   * Changes the controls that `change` names. `undefined` restores the default.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_STORE_QUOTA, ERR_IDENTITY_NO_SEALED_COPY (`userVerification` cannot be required
   *   later)
   * @throws TypeError for a malformed control or host pattern, and for `userVerification: 'none'` where it was required
   */
  async update(id: string, change: Partial<IdentityControls>): Promise<StoredIdentity> {
    const record = await this.#records.revise(id, ({ session: _, ...record }) => {
      const controls = changedControls(record.controls, change, noSealedCopy);
      return { ...record, controls, ...this.#sessionOf(controls) };
    });
    this.#changes.tell({ type: 'updated', id });
    return this.#present(record);
  }

  /**
   * Deletes the identities that match a query, and returns their number.
   *
   * @throws TypeError for an empty query; to delete all, delete each by its id
   */
  async delete(query: IdentityQuery): Promise<number> {
    if (Object.keys(query).length === 0)
      throw new TypeError('"query" must not be empty: that would delete every identity');
    const found = await this.find(query);
    const broken = onlyById(query) ? (await this.problems()).filter(it => it.id === query.id) : [];
    const deleted = await this.#records.delete([...found, ...broken].map(it => it.id));
    for (const id of deleted) this.#changes.tell({ type: 'deleted', id });
    return deleted.length;
  }

  /** Calls the listener at each change, of this tab and of others. Returns a function that ends this. */
  observe(listener: ChangeListener): () => void {
    return this.#changes.observe(listener);
  }

  /**
   * Makes a locked identity usable again. Asks the person if `userVerification` is required.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_VERIFICATION_FAILED, ERR_VERIFICATION_UNAVAILABLE, or the signal's reason
   */
  async unlock(id: string, { signal }: { signal?: AbortSignal } = {}): Promise<StoredIdentity> {
    const record = await this.#records.get(id);
    if (record.wrapped) await this.#vault.keysOf({ ...record, wrapped: record.wrapped }, signal);
    const changed = await this.#records.revise(id, ({ lockedAt: _, ...it }) => ({
      ...it,
      unlockedAt: new Date(),
    }));
    if (!record.wrapped) this.#changes.tell({ type: 'unlocked', id });
    return this.#present(changed);
  }

  /**
   * Locks an identity, or all of them, until `unlock`. Every tab forgets unwrapped keys at once.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND
   */
  async lock(id?: string): Promise<void> {
    const lock = (record: IdentityRecord) => ({ ...record, lockedAt: new Date() });
    if (id === undefined) this.#vault.forgetAll();
    else this.#vault.forget(id);
    const locked =
      id === undefined ? await this.#records.reviseAll(lock) : [await this.#records.revise(id, lock)];
    for (const record of locked) this.#changes.tell({ type: 'locked', id: record.id });
  }

  /**
   * Returns the keys of an identity for use with a target now, after all controls are checked. Asks the person if `userVerification` is
   * required, once for all waiting calls. A client calls this before each signature.
   *
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_IDENTITY_NOT_ALLOWED, ERR_IDENTITY_EXPIRED, ERR_IDENTITY_LOCKED,
   *   ERR_VERIFICATION_FAILED, ERR_VERIFICATION_UNAVAILABLE, or the signal's reason
   */
  async use(id: string, target: HostPort, { signal }: { signal?: AbortSignal } = {}): Promise<CryptoKey[]> {
    const record = await this.#records.get(id);
    assertUsable(record, target);
    if (!record.wrapped) return record.keys;
    const keys = await this.#vault.keysOf({ ...record, wrapped: record.wrapped }, signal);
    // The person may have taken minutes.
    assertUsable(await this.#records.get(id), target);
    return keys;
  }

  /** Writes a use of an identity into the journal, and restarts its idle timeout. A deleted identity is not an error. */
  async markUsed(id: string, target: HostPort, at: Date = new Date()): Promise<void> {
    this.#vault.touch(id);
    await this.#records.change(async transaction => {
      const identities = transaction.objectStore('identities');
      const record = await identities.get(id);
      if (!isReadableIdentity(record)) return;
      await identities.put({ ...record, lastUsedAt: at });
      const journal = transaction.objectStore('journal');
      const changed = withEntry({ id, entries: readableEntries(await journal.get(id)) }, target, at);
      if (changed) await journal.put(changed);
    });
  }

  /** The last hundred uses of an identity, oldest first. */
  async journal(id: string): Promise<JournalEntry[]> {
    return readableEntries(await this.#records.read(database => database.get('journal', id)));
  }

  /** Closes the store, and forgets unwrapped keys. Later calls reject with ERR_STORE_UNAVAILABLE. */
  close(): void {
    this.#vault.close();
    this.#changes.close();
    this.answers.close();
    this.#session?.leave();
    this.#records.close();
  }

  /**
   * @internal For renewals: another certificate for the same key.
   * @throws MtlsError ERR_IDENTITY_NOT_FOUND, ERR_IDENTITY_DUPLICATE
   */
  async replaceCertificate(
    id: string,
    identity: Pick<Identity, 'chain' | 'otherChains' | 'trust'>,
  ): Promise<StoredIdentity> {
    const [certificate] = identity.chain;
    if (!certificate) throw new TypeError('"identity" must have a certificate');
    const { chain: _, ...trust } = identity.trust;
    const record = await this.#records.revise(id, ({ otherChains: _, ...it }) => ({
      ...it,
      fingerprint: certificate.fingerprint,
      ...ownChains(identity),
      trust,
    }));
    this.#changes.tell({ type: 'updated', id });
    return this.#present(record);
  }

  async #insert(
    record: IdentityRecord,
    options: { enrolment?: string; replaces?: string | undefined } = {},
  ): Promise<StoredIdentity> {
    const { replaces } = options;
    const whole = { ...record, ...this.#sessionOf(record.controls) };
    await this.#records.insert(whole, options);
    this.#changes.tell({ type: 'added', id: whole.id });
    if (replaces !== undefined) this.#changes.tell({ type: 'deleted', id: replaces });
    return this.#present(whole);
  }

  #sessionOf({ persistence }: IdentityControls): { session?: string } {
    if (persistence !== 'session') return {};
    if (!this.#session) {
      const message = 'This browser has no Web Locks, so the end of a session cannot be told.';
      throw new MtlsError('ERR_STORE_UNAVAILABLE', message);
    }
    return { session: this.#session.id };
  }

  #present(record: IdentityRecord): StoredIdentity {
    const { id } = record;
    const identity = present(record, record.wrapped ? !this.#vault.isUnlocked(id) : isLocked(record));
    setKeyAccess(identity, {
      use: target => this.use(id, target),
      ready: () => !record.wrapped || this.#vault.isUnlocked(id),
      markUsed: target => this.markUsed(id, target),
      current: async () => (await this.find({ id }))[0],
      revision: () => this.revision,
      onEnd: listener =>
        this.#changes.guard(({ type, id: changed }) => {
          if (changed === id && (type === 'deleted' || type === 'locked')) listener();
        }),
    });
    return identity;
  }
}

function onlyById(query: IdentityQuery): boolean {
  return Object.keys(query).length === 1;
}
