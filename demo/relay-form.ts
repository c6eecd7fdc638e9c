import type { DemoConfig } from './config.js';
import { byId, h } from './dom.js';
import { log } from './log.js';

/** What cannot do without a relay. Enrolment also needs the authority of `npm start`. */
const NEED_RELAY = ['connect-form', 'transfer-form', 'socket-form'];

/** Asks for the address of a relay, where `npm start` does not tell it, as on a static page. */
export function askForRelay(place: HTMLElement, onRelay: (config: DemoConfig) => void): void {
  setDisabled([...NEED_RELAY, 'enroll-form'], true);
  const url = h('input', { id: 'relay-url', placeholder: 'wss://relay.example.com/', ...typed });
  const token = h('input', { id: 'relay-token', ...typed });
  const anchors = h('textarea', { id: 'relay-anchors', rows: 3, spellcheck: 'false' });
  const problem = h('p', { class: 'hint', id: 'relay-problem' });
  const form = h(
    'form',
    { class: 'notice', id: 'relay-form', novalidate: true },
    h(
      'p',
      {},
      'There is no relay here to connect through. Import and storage work; for the rest, run ',
      h('code', {}, 'npm start'),
      ', or name a relay that allows this page.',
    ),
    field('Address of the relay', url),
    field('Token, if it asks for one', token),
    field("PEM of the server's authority (default: those that Mozilla trusts)", anchors),
    problem,
    h('button', { type: 'submit' }, 'Use this relay'),
  );
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (!isRelay(url.value)) {
      problem.textContent = 'The address must begin with wss:, or with ws: for this machine.';
      url.focus();
      return;
    }
    setDisabled(NEED_RELAY, false);
    onRelay({
      relay: { url: url.value, token: token.value },
      targets: [],
      anchors: [anchors.value.trim() || 'mozilla'],
      hasRecord: false,
    });
    log(`Uses the relay ${url.value}`);
    form.remove();
  });
  place.replaceChildren(form);
}

const typed = { type: 'text', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' };

function field(label: string, control: HTMLElement): HTMLElement {
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control);
}

function isRelay(address: string): boolean {
  return URL.canParse(address) && /^wss?:$/.test(new URL(address).protocol);
}

function setDisabled(forms: string[], disabled: boolean): void {
  for (const id of forms) {
    for (const control of byId(id, HTMLFormElement).elements) control.toggleAttribute('disabled', disabled);
  }
}
