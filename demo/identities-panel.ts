import type {
  Certificate,
  IdentityControls,
  IdentityStore,
  JournalEntry,
  StoredIdentity,
} from 'browser-mtls';
import { splitHosts } from './controls-form.js';
import { button, byId, fact, h } from './dom.js';
import type { EnrollPanel } from './enroll-panel.js';
import { commonName, formatDate, formatFingerprint } from './format.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';

interface IdentitiesOptions {
  store: IdentityStore;
  enrolment: EnrollPanel | undefined;
  onChange: (identities: StoredIdentity[]) => void;
}

/** What a card can do with its identity. */
interface CardActions {
  remove(): void;
  lock(): void;
  unlock(): void;
  saveHosts(hosts: string[]): void;
  journal(): Promise<JournalEntry[]>;
  renew: (() => void) | undefined;
}

/** Gives the function that reads the store again and shows what is in it. */
export function startIdentitiesPanel({ store, enrolment, onChange }: IdentitiesOptions): () => Promise<void> {
  const list = byId('identities', HTMLUListElement);
  const problems = byId('identities-error', HTMLElement);

  async function refresh(): Promise<void> {
    try {
      const identities = await store.find();
      list.replaceChildren(...identities.map(identity => card(identity, actionsOf(identity))));
      byId('identities-empty', HTMLElement).hidden = identities.length > 0;
      problems.replaceChildren();
      onChange(identities);
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
    }
  }

  /** The store tells of the change, and the list is shown anew. */
  async function attempt(done: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      log(done);
      return true;
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
      return false;
    }
  }

  async function remove(id: string, name: string): Promise<void> {
    if (!(await confirmDelete(name))) return;
    if (await attempt(`Deleted ${name}`, () => store.delete({ id })))
      byId('identities-title', HTMLElement).focus();
  }

  function actionsOf(identity: StoredIdentity): CardActions {
    const { id } = identity;
    const name = nameOf(identity);
    return {
      remove: () => remove(id, name),
      lock: () => attempt(`Locked ${name}`, () => store.lock(id)),
      unlock: () => attempt(`Unlocked ${name}`, () => store.unlock(id)),
      saveHosts: hosts => attempt(`${name} may go to other hosts`, () => store.update(id, { hosts })),
      journal: () => store.journal(id),
      renew: enrolment?.canRenew(identity) ? () => enrolment.renew(identity) : undefined,
    };
  }

  return refresh;
}

export function nameOf(identity: StoredIdentity): string {
  return identity.controls.label || identity.label || commonName(identity.certificate.subject);
}

function card(identity: StoredIdentity, actions: CardActions): HTMLElement {
  const { certificate, controls, id, locked } = identity;
  const name = nameOf(identity);
  const titleId = `identity-${id}`;
  const outcome = h('p', { class: 'export-result', role: 'status', 'data-testid': 'export-result' });
  const tryExport = async () => {
    outcome.replaceChildren(...(await exportAttempts(identity)));
    log(`Tried to export the key of ${name}: ${outcome.textContent}`);
  };
  return h(
    'li',
    { 'data-testid': 'identity', 'data-id': id, 'aria-labelledby': titleId },
    h(
      'div',
      { class: 'identity-head' },
      h('h3', { id: titleId }, name),
      validityBadge(certificate),
      h('span', { class: 'badge' }, certificate.keyAlgorithm),
      locked && h('span', { class: 'badge warn', 'data-testid': 'locked' }, 'Locked'),
      ...controlBadges(controls),
    ),
    h(
      'dl',
      { class: 'facts' },
      fact('Subject', certificate.subject, { 'data-testid': 'identity-subject' }),
      fact('Issuer', certificate.issuer),
      fact('Valid', `${formatDate(certificate.notBefore)} to ${formatDate(certificate.notAfter)}`),
      fact('May go to', controls.hosts?.join(', ') || 'no host, unless chosen by hand'),
      fact('SHA-256', formatFingerprint(certificate.fingerprint), { class: 'mono' }),
    ),
    more('Hosts', hostsForm(controls.hosts ?? [], actions.saveHosts)),
    more('Journal', journalList(actions.journal)),
    h(
      'div',
      { class: 'row actions' },
      locked
        ? button('Unlock', actions.unlock, { 'data-testid': 'unlock', 'aria-label': `Unlock ${name}` })
        : button('Lock', actions.lock, { 'data-testid': 'lock', 'aria-label': `Lock ${name}` }),
      actions.renew &&
        button('Renew', actions.renew, { 'data-testid': 'renew', 'aria-label': `Renew ${name}` }),
      button('Try to export key', tryExport, {
        'data-testid': 'export-key',
        'aria-label': `Try to export key of ${name}`,
      }),
      button('Delete …', actions.remove, {
        'data-testid': 'delete',
        class: 'danger-quiet',
        'aria-label': `Delete ${name} …`,
      }),
    ),
    outcome,
  );
}

function validityBadge({ notBefore, notAfter }: Certificate): HTMLElement {
  const now = new Date();
  if (now > notAfter) return h('span', { class: 'badge bad' }, 'Expired');
  if (now < notBefore) return h('span', { class: 'badge warn' }, 'Not valid yet');
  return h('span', { class: 'badge good' }, 'Valid');
}

function controlBadges({ persistence, userVerification, idleTimeoutMs, expiresAt }: IdentityControls) {
  const badges = [
    persistence === 'session' && 'until the last tab closes',
    userVerification === 'required' && 'confirmed by the person',
    idleTimeoutMs !== undefined && `locks after ${idleTimeoutMs / 1000} s`,
    expiresAt && `until ${expiresAt.toLocaleTimeString()}`,
  ];
  return badges.map(text => text && h('span', { class: 'badge' }, text));
}

function more(title: string, content: HTMLElement): HTMLElement {
  return h('details', { class: 'more' }, h('summary', {}, title), content);
}

function hostsForm(hosts: string[], onSave: (hosts: string[]) => void): HTMLElement {
  const input = h('input', {
    type: 'text',
    class: 'grow',
    value: hosts.join(' '),
    'aria-label': 'May be sent to',
    'data-testid': 'edit-hosts',
    autocapitalize: 'none',
    spellcheck: 'false',
  });
  const form = h('form', { class: 'row' }, input, h('button', { 'data-testid': 'save-hosts' }, 'Save'));
  form.addEventListener('submit', event => {
    event.preventDefault();
    onSave(splitHosts(input.value));
  });
  return form;
}

/** Filled when it is first opened. */
function journalList(read: () => Promise<JournalEntry[]>): HTMLElement {
  const list = h('ol', { class: 'journal', 'aria-label': 'Uses', 'data-testid': 'journal' });
  const fill = async () => {
    const entries = await read();
    const items = entries.reverse().map(({ at, host }) => h('li', {}, `${at.toLocaleString()}: ${host}`));
    list.replaceChildren(...(items.length > 0 ? items : [h('li', {}, 'not used yet')]));
    // It scrolls, and not every browser lets the keyboard do that by itself.
    list.tabIndex = 0;
  };
  queueMicrotask(() => list.closest('details')?.addEventListener('toggle', fill));
  return list;
}

/** Asks WebCrypto itself for every key in both forms; the flag on a key is not taken for an answer. */
async function exportAttempts({ keys }: StoredIdentity): Promise<Array<string | Node>> {
  if (keys.length === 0)
    return [h('strong', {}, 'There is none. '), 'What is stored is encrypted under what you confirm with.'];
  let leaks = 0;
  let reason = '';
  for (const key of keys) {
    for (const format of ['pkcs8', 'jwk'] as const) {
      try {
        await crypto.subtle.exportKey(format, key);
        leaks++;
      } catch (error) {
        reason = error instanceof Error ? error.name : String(error);
      }
    }
  }
  const attempts = keys.length * 2;
  if (leaks > 0)
    return [h('strong', {}, 'Exported! '), `${leaks} of ${attempts} attempts gave the key away.`];
  const what = keys.length === 1 ? 'the key' : `the ${keys.length} keys (one for each way to sign)`;
  return [
    h('strong', {}, 'Refused. '),
    `The browser would not give ${what} away, as pkcs8 or as jwk: ${reason}.`,
  ];
}

function confirmDelete(name: string): Promise<boolean> {
  const dialog = byId('delete-dialog', HTMLDialogElement);
  byId('delete-text', HTMLElement).textContent =
    `“${name}” and its key go from this browser for good. With its .p12 file and the password it can be imported again; one that was enrolled here cannot come back.`;
  const done = (answer: string) => () => dialog.close(answer);
  byId('delete-confirm', HTMLButtonElement).onclick = done('delete');
  byId('delete-cancel', HTMLButtonElement).onclick = done('keep');
  // Escape leaves the value of last time otherwise.
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'delete'), { once: true });
  });
}
