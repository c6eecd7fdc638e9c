import type { ClientCertificateChallenge, Disposition } from 'browser-mtls';
import { button, byId, h } from './dom.js';
import { nameOf } from './identities-panel.js';

let previous: Promise<unknown> = Promise.resolve();

/** Asks the person which of several identities a server gets. One question at a time; Escape gives the connection up. */
export function askForIdentity(challenge: ClientCertificateChallenge): Promise<Disposition> {
  const answer = previous.then(() => ask(challenge));
  previous = answer;
  return answer;
}

function ask({ host, port, candidates }: ClientCertificateChallenge): Promise<Disposition> {
  const dialog = byId('challenge-dialog', HTMLDialogElement);
  const close = (answer: string) => () => dialog.close(answer);
  const choices = candidates.map(identity => {
    const { subject, issuer } = identity.certificate;
    const choose = button(nameOf(identity), close(identity.id), {
      'data-testid': 'challenge-identity',
      'data-id': identity.id,
    });
    choose.append(h('small', {}, `${subject}, from ${issuer}`));
    return h('li', {}, choose);
  });
  byId('challenge-title', HTMLElement).textContent = `${host}:${port} asks for a certificate`;
  byId('challenge-list', HTMLUListElement).replaceChildren(...choices);
  byId('challenge-none', HTMLButtonElement).onclick = close('none');
  byId('challenge-cancel', HTMLButtonElement).onclick = close('');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener('close', () => resolve(dispositionOf(dialog.returnValue, candidates)), {
      once: true,
    });
  });
}

function dispositionOf(answer: string, candidates: ClientCertificateChallenge['candidates']): Disposition {
  const identity = candidates.find(({ id }) => id === answer);
  if (identity) return { disposition: 'use-credential', credential: { identity } };
  return { disposition: answer === 'none' ? 'reject' : 'cancel' };
}
