import type {
  Challenge,
  ClientCertificateChallenge,
  Disposition,
  UnfitIdentity,
} from '../authentication/challenge.js';
import type { StoredIdentity } from '../identity/types.js';
import { bracketed, formatHostPort } from '../util/host-port.js';
import { Base, h, upgradeProperties } from './dom.js';
import { fill, type PickerLabels, pickerLabels } from './labels.js';
import { commonName, day, nameOf } from './names.js';
import { adoptStyles } from './styles.js';

/** A question to the person. */
export interface PickerQuestion {
  /** The identities that fit. The person can choose one of them. */
  candidates: StoredIdentity[];
  /** The other identities, each with a reason. The person can choose a `selectable` one too. Default: none. */
  others?: UnfitIdentity[];
  /** The server that asks: `host`, or `host:port`. Default: it is not shown. */
  host?: string;
  /** Closes the dialog, as if the person had cancelled. Default: none. */
  signal?: AbortSignal;
}

/** The decision of the person. */
export type PickerAnswer =
  | {
      /** Shows the identity. */
      decision: 'use';
      /** The chosen identity. */
      identity: StoredIdentity;
      /** Whether *Remember* is checked. */
      remember: boolean;
    }
  | {
      /** Continues without a certificate. */
      decision: 'without';
      /** Whether *Remember* is checked. */
      remember: boolean;
    }
  | {
      /** Cancels the question. */
      decision: 'cancel';
    };

const HTTPS_PORT = 443;

/**
 * `<identity-picker>` (`docs/elements.md`): the choice that a browser's own dialog for client certificates offers. In one line:
 * `createClient({ onChallenge: picker.answer, … })`.
 *
 * It is a modal dialog, or with the attribute `inline` a part of the page. With `remember="permanent"` a remembered answer outlives the page.
 * Questions come one after the other. Parts: `dialog`, `title`, `question`, `option`, `name`, `reason`, `remember`, `use`, `without`,
 * `cancel`.
 */
export class IdentityPicker extends Base {
  #labels = pickerLabels;
  #last: Promise<unknown> = Promise.resolve();
  #abandon: () => void = () => {};

  /** The texts, for translation. Texts that are not given stay English. */
  get labels(): PickerLabels {
    return this.#labels;
  }

  set labels(labels: Partial<PickerLabels>) {
    this.#labels = { ...pickerLabels, ...labels, reasons: { ...pickerLabels.reasons, ...labels.reasons } };
  }

  /** @internal */
  connectedCallback(): void {
    upgradeProperties(this, ['labels']);
    adoptStyles(this.shadowRoot ?? this.attachShadow({ mode: 'open' }));
  }

  /** @internal A question to an element that has left the page is cancelled. */
  disconnectedCallback(): void {
    this.#abandon();
  }

  /**
   * A challenge handler: asks which identity to show, and answers questions of server trust with `default`. *Go on without one* answers
   * `reject`. *Cancel* answers `cancel`, and so does the end of the challenge.
   */
  readonly answer = async (challenge: Challenge): Promise<Disposition> => {
    if (challenge.method !== 'client-certificate') return { disposition: 'default' };
    const { candidates, others, signal } = challenge;
    const answer = await this.ask({ candidates, others, signal, host: hostOf(challenge) });
    if (answer.decision === 'cancel') return { disposition: 'cancel' };
    if (answer.decision === 'without') return { disposition: 'reject' };
    const { identity, remember } = answer;
    return {
      disposition: 'use-credential',
      credential: { identity, persistence: remember ? this.#persistence : 'none' },
    };
  };

  get #persistence(): 'session' | 'permanent' {
    return this.getAttribute('remember') === 'permanent' ? 'permanent' : 'session';
  }

  /** Asks the person. Later questions wait. */
  ask(question: PickerQuestion): Promise<PickerAnswer> {
    const asking = this.#last.then(() => this.#show(question));
    this.#last = asking.catch(() => {});
    return asking;
  }

  #show(question: PickerQuestion): Promise<PickerAnswer> {
    const root = this.shadowRoot;
    const { signal } = question;
    if (!root || !this.isConnected || signal?.aborted) return Promise.resolve({ decision: 'cancel' });
    const labels = this.#labels;
    const remember = this.#persistence === 'permanent' ? labels.rememberPermanently : labels.remember;
    const { form, options } = makeForm(question, { ...labels, remember });
    const inline = this.hasAttribute('inline');
    const frame = inline
      ? h('section', { part: 'dialog', 'aria-labelledby': 'title' }, form)
      : h('dialog', { part: 'dialog', 'aria-labelledby': 'title' }, form);
    root.replaceChildren(frame);
    return new Promise(resolve => {
      const close = (answer: PickerAnswer) => {
        this.#abandon = () => {};
        signal?.removeEventListener('abort', abandon);
        if (frame instanceof HTMLDialogElement) frame.close();
        frame.remove();
        resolve(answer);
      };
      const abandon = () => close({ decision: 'cancel' });
      this.#abandon = abandon;
      signal?.addEventListener('abort', abandon, { once: true });
      frame.addEventListener('cancel', event => {
        event.preventDefault();
        close({ decision: 'cancel' });
      });
      form.addEventListener('submit', event => {
        event.preventDefault();
        const answer = choiceOf(form, options);
        if (answer) close(answer);
      });
      const press = (part: string, answer: () => PickerAnswer) =>
        form.querySelector(`[part="${part}"]`)?.addEventListener('click', () => close(answer()));
      press('cancel', () => ({ decision: 'cancel' }));
      press('without', () => ({ decision: 'without', remember: isToRemember(form) }));
      if (frame instanceof HTMLDialogElement) frame.showModal();
      (form.querySelector<HTMLElement>('input:checked') ?? form.querySelector('button'))?.focus();
    });
  }
}

function hostOf({ host, port }: ClientCertificateChallenge): string {
  return port === HTTPS_PORT ? bracketed(host) : formatHostPort({ hostname: host, port });
}

const isToRemember = (form: HTMLFormElement) => new FormData(form).has('remember');

function choiceOf(form: HTMLFormElement, options: readonly StoredIdentity[]): PickerAnswer | undefined {
  const identity = options[Number(new FormData(form).get('identity') ?? -1)];
  return identity && { decision: 'use', identity, remember: isToRemember(form) };
}

function makeForm({ candidates, others = [], host }: PickerQuestion, labels: PickerLabels) {
  // In the order in which they are shown: what can be chosen comes first.
  const unfit = [...others].sort((a, b) => Number(b.selectable) - Number(a.selectable));
  const options = [...candidates, ...unfit.map(it => it.identity)];
  const choices = [
    ...candidates.map((identity, i) => option(identity, { index: i, labels, checked: i === 0 })),
    ...unfit.map((it, i) =>
      option(it.identity, { index: candidates.length + i, labels, checked: false, unfit: it }),
    ),
  ];
  const usable = candidates.length > 0 || unfit.some(it => it.selectable);
  // Of submit buttons, the first one is what Enter presses.
  const button = (value: string, text: string) => h('button', { type: 'button', value, part: value }, text);
  const form = h(
    'form',
    { class: 'panel', method: 'dialog' },
    h('h2', { id: 'title', part: 'title' }, labels.title),
    ...(host === undefined ? [] : [h('p', { part: 'question' }, fill(labels.question, { host }))]),
    ...(usable ? [] : [h('p', { role: 'status' }, labels.nothing)]),
    h('fieldset', { class: 'options', 'aria-label': labels.choices }, ...choices),
    h(
      'label',
      { class: 'check', part: 'remember', hidden: !usable },
      h('input', { type: 'checkbox', name: 'remember', checked: true }),
      labels.remember,
    ),
    h(
      'div',
      { class: 'row buttons' },
      button('cancel', labels.cancel),
      button('without', labels.without),
      ...(usable ? [h('button', { part: 'use', class: 'primary' }, labels.use)] : []),
    ),
  );
  return { form, options };
}

interface OptionSettings {
  index: number;
  labels: PickerLabels;
  checked: boolean;
  unfit?: UnfitIdentity;
}

function option(identity: StoredIdentity, { index, labels, checked, unfit }: OptionSettings): HTMLElement {
  const { certificate, lastUsedAt, locked } = identity;
  const details = {
    [labels.issuedBy]: commonName(certificate.issuer) ?? certificate.issuer,
    [labels.valid]: `${day(certificate.notBefore)} – ${day(certificate.notAfter)}`,
    [labels.key]: certificate.keyAlgorithm,
    [labels.lastUsed]: lastUsedAt ? lastUsedAt.toLocaleString() : labels.never,
  };
  const reasonId = `reason-${index}`;
  const reason = unfit && (labels.reasons[unfit.code] ?? unfit.message);
  const radio = h('input', {
    type: 'radio',
    name: 'identity',
    value: String(index),
    checked,
    disabled: unfit !== undefined && !unfit.selectable,
    'aria-describedby': reason ? reasonId : undefined,
  });
  const rows = Object.entries(details).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
  return h(
    'label',
    { class: 'option', part: 'option' },
    radio,
    h(
      'div',
      {},
      h('span', { class: 'name', part: 'name' }, nameOf(identity)),
      h('span', { class: 'detail' }, certificate.subject),
      h('dl', {}, ...rows),
      ...(reason ? [h('span', { class: 'reason', part: 'reason', id: reasonId }, reason)] : []),
      ...(locked && !reason ? [h('span', { class: 'detail' }, labels.locked)] : []),
    ),
  );
}
