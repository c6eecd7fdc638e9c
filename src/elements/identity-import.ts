import { MtlsError, type MtlsErrorCode } from '../errors.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import { type OpenPkcs12Options, openPkcs12 } from '../p12/open-pkcs12.js';
import type { Pkcs12 } from '../p12/pkcs12.js';
import type { IdentityStore } from '../store/identity-store.js';
import { Base, h, upgradeProperties } from './dom.js';
import { type ImportForm, makeImportForm } from './import-form.js';
import { fill, type ImportLabels, importLabels } from './labels.js';
import { day, nameOf } from './names.js';
import { adoptStyles } from './styles.js';

/** The detail of the event `identity-import`. */
export interface IdentityImportDetail {
  /** The identities of the file: stored ones if the element has a store. */
  identities: (Identity | StoredIdentity)[];
  /** Everything that the file held. */
  pkcs12: Pkcs12;
}

/** The detail of the event `identity-error`. */
export interface IdentityErrorDetail {
  /** Why the import failed, usually an `MtlsError`. */
  error: unknown;
}

/**
 * `<identity-import>` (`docs/elements.md`): a person chooses a PKCS#12 file by dialog or drop, and enters its password. The element opens the
 * file, and stores its identities if `store` is set.
 *
 * Attributes: `hosts` (patterns, separated by spaces), `label`, `persistence`, `user-verification`; `controls` overrides them. Events, which
 * bubble: `identity-import` ({@link IdentityImportDetail}), `identity-error` ({@link IdentityErrorDetail}). Parts: `form`, `drop`, `file`,
 * `password`, `reveal`, `key-password` (shown if the key has a separate password), `submit`, `cancel`, `progress`, `status`, `error`.
 */
export class IdentityImport extends Base {
  /** The store for the identities. Default: none, they are only opened. */
  store: IdentityStore | undefined;
  /** The controls of the stored identities. `label` is used only if the file holds one identity. Default: those of the attributes. */
  controls: IdentityControls = {};
  /** Options of `openPkcs12`, such as `limits` and `engine`. Default: none. */
  options: Omit<OpenPkcs12Options, 'password' | 'keyPassword' | 'signal' | 'onProgress'> = {};
  #labels = importLabels;
  #chosen: { name: string; content: Blob } | undefined;
  #running: AbortController | undefined;
  #parts: ImportForm | undefined;

  /** The texts, for translation. Texts that are not given stay English. */
  get labels(): ImportLabels {
    return this.#labels;
  }

  set labels(labels: Partial<ImportLabels>) {
    const errors = { ...importLabels.errors, ...labels.errors };
    this.#labels = { ...importLabels, ...labels, errors };
    if (this.#parts) this.#render();
  }

  /** @internal */
  connectedCallback(): void {
    upgradeProperties(this, ['store', 'controls', 'options', 'labels']);
    if (!this.#parts) this.#render();
  }

  /** @internal An import that is going on ends with the element. */
  disconnectedCallback(): void {
    this.#running?.abort();
  }

  /** Takes a file as if the person had chosen it. */
  choose(content: Blob, name: string = content instanceof File ? content.name : 'file.p12'): void {
    this.#chosen = { name, content };
    this.#askForKey(false);
    this.#showError();
    this.#say('');
    this.#showChosen();
  }

  #render(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open', delegatesFocus: true });
    adoptStyles(root);
    this.#parts = makeImportForm(this.#labels);
    root.replaceChildren(this.#parts.form);
    this.#listen(this.#parts);
    this.#showChosen();
  }

  #listen({ form, file, drop, password, keyPassword, reveal, cancel }: ImportForm): void {
    form.addEventListener('submit', event => {
      event.preventDefault();
      this.#run();
    });
    file.addEventListener('change', () => {
      const [first] = file.files ?? [];
      if (first) this.choose(first);
    });
    cancel.addEventListener('click', () => this.#running?.abort());
    for (const input of [password, keyPassword])
      input.addEventListener('input', () => input.removeAttribute('aria-invalid'));
    reveal.addEventListener('click', () => this.#reveal(password.type === 'password'));
    drop.addEventListener('dragover', event => {
      event.preventDefault();
      drop.classList.add('over');
    });
    drop.addEventListener('dragleave', () => drop.classList.remove('over'));
    drop.addEventListener('drop', event => {
      event.preventDefault();
      drop.classList.remove('over');
      const [first] = event.dataTransfer?.files ?? [];
      if (first) this.choose(first);
    });
  }

  async #run(): Promise<void> {
    const { file } = this.#parts as ImportForm;
    if (this.#running) return;
    this.#showError();
    if (!this.#chosen) {
      this.#say(this.#labels.chooseFirst);
      file.focus();
      return;
    }
    const running = new AbortController();
    this.#begin(running, this.#chosen.name);
    try {
      const detail = await this.#import(this.#chosen.content, running.signal);
      this.#forgetFile();
      this.#say(tellOf(detail.identities, this.#labels));
      this.#tell('identity-import', detail);
    } catch (error) {
      this.#fail(error, running.signal);
    } finally {
      this.#end();
    }
  }

  async #import(content: Blob, signal: AbortSignal): Promise<IdentityImportDetail> {
    const { password, keyField, keyPassword, progress } = this.#parts as ImportForm;
    const controls = { ...this.#controlsOfAttributes(), ...this.controls };
    const pkcs12 = await openPkcs12(content, {
      ...(controls.userVerification === 'required' && { sealedCopy: true }),
      ...this.options,
      password: password.value,
      ...(!keyField.hidden && { keyPassword: keyPassword.value }),
      signal,
      onProgress: ({ completed, total }) => {
        if (total > 0) progress.value = completed / total;
      },
    });
    if (pkcs12.identities.length === 0) throw new MtlsError('ERR_P12_MALFORMED', this.#labels.noKey);
    signal.throwIfAborted();
    if (!this.store) return { identities: pkcs12.identities, pkcs12 };
    const identities = await keep(this.store, pkcs12.identities, { controls, signal });
    return { identities, pkcs12 };
  }

  #controlsOfAttributes(): IdentityControls {
    const hosts = this.getAttribute('hosts')
      ?.split(/[\s,]+/)
      .filter(Boolean);
    const label = this.getAttribute('label');
    const persistence = this.getAttribute('persistence') as IdentityControls['persistence'] | null;
    const userVerification = this.getAttribute('user-verification');
    return {
      ...(hosts && { hosts }),
      ...(label && { label }),
      ...(persistence && { persistence }),
      ...(userVerification && { userVerification: userVerification as 'required' }),
    };
  }

  #begin(running: AbortController, name: string): void {
    const { submit, cancel, progress } = this.#parts as ImportForm;
    this.#running = running;
    submit.setAttribute('aria-disabled', 'true');
    cancel.hidden = false;
    progress.hidden = false;
    progress.value = 0;
    this.#say(fill(this.#labels.working, { name }));
  }

  #end(): void {
    const { submit, cancel, progress } = this.#parts as ImportForm;
    this.#running = undefined;
    submit.removeAttribute('aria-disabled');
    cancel.hidden = true;
    progress.hidden = true;
  }

  #reveal(shown: boolean): void {
    const { password, keyPassword, reveal } = this.#parts as ImportForm;
    for (const input of [password, keyPassword]) input.type = shown ? 'text' : 'password';
    reveal.setAttribute('aria-pressed', String(shown));
  }

  #askForKey(asked: boolean): void {
    if (!this.#parts) return;
    const { file, keyField, keyPassword } = this.#parts;
    // A field that goes away would take the focus with it.
    if (!asked && this.shadowRoot?.activeElement === keyPassword) file.focus();
    keyField.hidden = !asked;
    if (!asked) keyPassword.value = '';
    keyPassword.removeAttribute('aria-invalid');
  }

  /** The passwords do not stay in the page either, and the next ones are not shown because these were. */
  #forgetFile(): void {
    this.#chosen = undefined;
    this.#reveal(false);
    this.#parts?.form.reset();
    this.#askForKey(false);
    this.#showChosen();
  }

  #fail(error: unknown, signal: AbortSignal): void {
    this.#say(signal.aborted ? this.#labels.cancelled : '');
    if (signal.aborted) return;
    this.#showError(error);
    if (error instanceof MtlsError) this.#askAgain(error.code);
    this.#tell('identity-error', { error });
  }

  #askAgain(code: MtlsErrorCode): void {
    const { password, keyField, keyPassword } = this.#parts as ImportForm;
    const wanted = { ERR_P12_PASSWORD: password, ERR_P12_KEY_PASSWORD: keyPassword }[code as string];
    if (!wanted) return;
    const wasAsked = wanted === password || !keyField.hidden;
    if (wanted === keyPassword) this.#askForKey(true);
    if (wasAsked) wanted.setAttribute('aria-invalid', 'true');
    wanted.focus();
    wanted.select();
  }

  #tell(name: string, detail: IdentityImportDetail | IdentityErrorDetail): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #say(text: string): void {
    if (this.#parts) this.#parts.status.textContent = text;
  }

  #showError(error?: unknown): void {
    if (!this.#parts) return;
    const { error: box } = this.#parts;
    box.hidden = error === undefined;
    box.dataset.code = error instanceof MtlsError ? error.code : '';
    const known = error instanceof MtlsError ? this.#labels.errors[error.code] : undefined;
    const message = error instanceof Error ? error.message : String(error ?? '');
    box.replaceChildren(h('strong', {}, known ?? this.#labels.otherError), message);
  }

  #showChosen(): void {
    if (!this.#parts) return;
    const { title, detail } = this.#parts;
    const { choose, dropHere, ready } = this.#labels;
    const size = this.#chosen ? `${Math.max(1, Math.round(this.#chosen.content.size / 1024))} KB` : '';
    title.textContent = this.#chosen?.name ?? choose;
    detail.textContent = this.#chosen ? fill(ready, { size }) : dropHere;
  }
}

/** Those that are there already are passed over, unless all of them are. */
async function keep(
  store: IdentityStore,
  identities: readonly Identity[],
  { controls: { label, ...controls }, signal }: { controls: IdentityControls; signal: AbortSignal },
): Promise<StoredIdentity[]> {
  const named = label !== undefined && identities.length === 1 ? { ...controls, label } : controls;
  const stored: StoredIdentity[] = [];
  let duplicate: unknown;
  for (const identity of identities) {
    try {
      stored.push(await store.add(identity, named, { signal }));
    } catch (error) {
      if (!(error instanceof MtlsError) || error.code !== 'ERR_IDENTITY_DUPLICATE') throw error;
      duplicate = error;
    }
  }
  if (stored.length === 0) throw duplicate;
  return stored;
}

/** Also says which of them no server will accept today. */
function tellOf(identities: readonly Identity[], labels: ImportLabels): string {
  const names = identities.map(nameOf).join(', ');
  const now = new Date();
  const notes = identities.map(identity => {
    const { notBefore, notAfter } = identity.certificate;
    if (now > notAfter) return fill(labels.expired, { name: nameOf(identity), date: day(notAfter) });
    if (now < notBefore) return fill(labels.notYetValid, { name: nameOf(identity), date: day(notBefore) });
    return '';
  });
  return [fill(labels.imported, { names }), ...notes].filter(Boolean).join(' ');
}
