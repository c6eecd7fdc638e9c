import type { Certificate, IdentityStore, StoredIdentity } from 'browser-mtls';
import { button, byId, fact, h } from './dom.js';
import { commonName, formatDate, formatFingerprint } from './format.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';

interface IdentitiesOptions {
  store: IdentityStore;
  onChange: (identities: StoredIdentity[]) => void;
  onDeleted: () => void;
}

/** Gives the function that reads the store again and shows what is in it. */
export function startIdentitiesPanel({ store, onChange, onDeleted }: IdentitiesOptions): () => Promise<void> {
  const list = byId('identities', HTMLUListElement);
  const problems = byId('identities-error', HTMLElement);

  async function refresh(): Promise<void> {
    try {
      const identities = await store.find();
      list.replaceChildren(...identities.map(identity => card(identity, () => remove(identity))));
      byId('identities-empty', HTMLElement).hidden = identities.length > 0;
      problems.replaceChildren();
      onChange(identities);
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
    }
  }

  async function remove(identity: StoredIdentity): Promise<void> {
    const name = nameOf(identity);
    if (!(await confirmDelete(name))) return;
    try {
      await store.delete({ id: identity.id });
      onDeleted();
      log(`Deleted ${name}`);
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
      return;
    }
    await refresh();
    byId('identities-title', HTMLElement).focus();
  }

  return refresh;
}

export function nameOf(identity: StoredIdentity): string {
  return identity.controls.label || identity.label || commonName(identity.certificate.subject);
}

function card(identity: StoredIdentity, onDelete: () => void): HTMLElement {
  const { certificate, controls, id } = identity;
  const name = nameOf(identity);
  const titleId = `identity-${id}`;
  const outcome = h('p', { class: 'export-result', role: 'status', 'data-testid': 'export-result' });
  const tryExport = async () => {
    outcome.replaceChildren(...(await exportAttempts(identity.keys)));
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
    h(
      'div',
      { class: 'row actions' },
      button('Try to export key', tryExport, {
        'data-testid': 'export-key',
        'aria-label': `Try to export the key of ${name}`,
      }),
      button('Delete …', onDelete, {
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

/** Asks WebCrypto itself for every key in both forms; the flag on a key is not taken for an answer. */
async function exportAttempts(keys: CryptoKey[]): Promise<Array<string | Node>> {
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
    `“${name}” and its key go from this browser for good. To use it again you need the .p12 file and its password.`;
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
