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
      list.replaceChildren(...answers.map(answer => row(answer, () => forget(answer.host))));
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

function row(answer: RememberedAnswer, onForget: () => void): HTMLElement {
  const { host, persistence, identity, fingerprint } = answer;
  const what = identity
    ? `is shown ${nameOf(identity)}`
    : fingerprint
      ? 'is trusted by its certificate'
      : 'is shown no certificate';
  return h(
    'li',
    { 'data-testid': 'answer' },
    h(
      'div',
      {},
      h('strong', {}, host),
      ` ${what} `,
      h('span', { class: 'badge' }, persistence === 'permanent' ? 'on this device' : 'until closed'),
      fingerprint && h('p', { class: 'mono hint' }, formatFingerprint(fingerprint)),
    ),
    button('Forget', onForget, { 'data-testid': 'forget', 'aria-label': `Forget the answer for ${host}` }),
  );
}
