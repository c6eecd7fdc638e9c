import { passphraseVerification, type UserVerification, webAuthnVerification } from 'browser-mtls';
import { byId, h } from './dom.js';

/** `?verification=passphrase` in the address takes the passphrase where an authenticator could be had too. */
export const byPassphrase =
  new URLSearchParams(location.search).get('verification') === 'passphrase' ||
  typeof PublicKeyCredential !== 'function';

/** An authenticator where the browser has WebAuthn, a passphrase elsewhere. */
export function demoVerification(): UserVerification {
  return byPassphrase
    ? passphraseVerification({
        ask: ({ subject, purpose, attempt }) => askPassphrase({ label: subject.label, purpose, attempt }),
      })
    : webAuthnVerification({ rpName: 'browser-mtls demo' });
}

export function describeVerification(): Array<Node | string> {
  if (byPassphrase) return ['By a passphrase: the key is stored only encrypted under it.'];
  return [
    'By your device or security key (WebAuthn): the key is stored only encrypted under what it gives. Without one, ',
    h('a', { href: '?verification=passphrase' }, 'take a passphrase'),
    '.',
  ];
}

interface Question {
  label: string;
  purpose: 'set' | 'unlock';
  attempt: number;
}

function askPassphrase({ label, purpose, attempt }: Question): Promise<string | undefined> {
  const dialog = byId('passphrase-dialog', HTMLDialogElement);
  const input = byId('passphrase', HTMLInputElement);
  byId('passphrase-title', HTMLElement).textContent =
    purpose === 'set' ? `Choose a passphrase for ${label}` : `Unlock ${label}`;
  byId('passphrase-text', HTMLElement).textContent =
    attempt > 1 ? 'That was not it. Once more:' : 'It encrypts the private key in this browser.';
  input.value = '';
  dialog.returnValue = '';
  byId('passphrase-cancel', HTMLButtonElement).onclick = () => dialog.close('');
  byId('passphrase-form', HTMLFormElement).onsubmit = event => {
    event.preventDefault();
    dialog.close('given');
  };
  dialog.showModal();
  return new Promise(resolve => {
    dialog.addEventListener(
      'close',
      () => {
        resolve(dialog.returnValue === 'given' ? input.value : undefined);
        input.value = '';
      },
      { once: true },
    );
  });
}
