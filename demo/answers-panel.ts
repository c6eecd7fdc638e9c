import type { RememberedAnswer } from 'browser-mtls';
import type { Clients } from './clients.js';
import { button, byId, h } from './dom.js';
import { formatFingerprint } from './format.js';
import { nameOf } from './identities-panel.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';

/** What was answered to challenges and holds. Gives the function that shows it anew. */
export function startAnswersPanel(clients: Clients): () => Promise<void> {
  const list = byId('answers', HTMLUListElement);
  const all = byId('forget-all', HTMLButtonElement);
  const problems = byId('answers-error', HTMLElement);

  async function refresh(): Promise<void> {
    try {
      const answers = await clients.answers();
      const hosts = [...new Set(answers.map(({ host }) => host))];
      const rowOf = (host: string) => {
        const own = answers.filter(answer => answer.host === host);
        return row(host, own, () => forget(host));
      };
      list.replaceChildren(...hosts.map(rowOf));
      byId('answers-empty', HTMLElement).hidden = answers.length > 0;
      all.hidden = answers.length === 0;
      problems.replaceChildren();
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
    }
  }

  async function forget(host?: string): Promise<void> {
    try {
      await clients.forget(host);
      log(`Forgot what was answered for ${host ?? 'every server'}`);
      byId('answers-title', HTMLElement).focus();
    } catch (error) {
      problems.replaceChildren(problemBox(problemOf(error)));
    }
    await refresh();
  }

  all.addEventListener('click', () => forget());
  return refresh;
}

function row(host: string, answers: RememberedAnswer[], onForget: () => void): HTMLElement {
  return h(
    'li',
    { 'data-testid': 'answer' },
    h('div', {}, h('strong', {}, host), ...answers.map(line)),
    button('Forget', onForget, { 'data-testid': 'forget', 'aria-label': `Forget the answers for ${host}` }),
  );
}

function line({ identity, fingerprint, persistence }: RememberedAnswer): HTMLElement {
  const place = h(
    'span',
    { class: 'badge' },
    persistence === 'permanent' ? 'on this device' : 'until closed',
  );
  if (identity) return h('p', {}, `is shown ${nameOf(identity)} `, place);
  if (!fingerprint) return h('p', {}, 'is shown no certificate ', place);
  const what = h('p', {}, 'is trusted by its certificate ', place);
  return h('div', {}, what, h('p', { class: 'mono hint' }, formatFingerprint(fingerprint)));
}
