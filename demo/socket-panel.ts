import type { MtlsClient, WebSocketErrorEvent } from 'browser-mtls';
import type { Clients } from './clients.js';
import type { ConnectPanel } from './connect-panel.js';
import { byId, h } from './dom.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';

type Socket = InstanceType<MtlsClient['WebSocket']>;

const MAX_LINES = 50;

/** A WebSocket to the chosen server, which greets the client by its certificate and sends back what it gets. */
export function startSocketPanel(clients: Clients, connection: ConnectPanel, onAnswered: () => void): void {
  const form = byId('socket-form', HTMLFormElement);
  const message = byId('socket-message', HTMLInputElement);
  const toggle = byId('socket-toggle', HTMLButtonElement);
  const send = byId('socket-send', HTMLButtonElement);
  const lines = byId('socket-lines', HTMLOListElement);
  const problems = byId('socket-error', HTMLElement);
  let socket: Socket | undefined;

  function say(who: string, text: string): void {
    lines.append(h('li', {}, h('span', { class: 'who' }, who), h('span', {}, text)));
    if (lines.children.length > MAX_LINES) lines.firstElementChild?.remove();
    const box = lines.parentElement;
    if (!box) return;
    box.scrollTop = box.scrollHeight;
    // Empty it would be a stop of the keyboard where there is nothing to see.
    box.tabIndex = 0;
  }

  function fail(error: unknown): void {
    const problem = problemOf(error);
    problems.replaceChildren(problemBox(problem));
    log(`WebSocket: ${problem.title} (${problem.code})`, 'bad');
  }

  function show(state: 'closed' | 'opening' | 'open'): void {
    toggle.textContent = state === 'closed' ? 'Open' : 'Close';
    send.setAttribute('aria-disabled', String(state !== 'open'));
  }

  async function open(): Promise<void> {
    problems.replaceChildren();
    show('opening');
    try {
      const client = await clients.get(connection.choice());
      const opening = new client.WebSocket(`${connection.origin()}/socket`);
      socket = opening;
      opening.onopen = () => {
        show('open');
        say('page', 'open');
        log(`WebSocket to ${new URL(opening.url).host} is open`, 'good');
        message.focus();
      };
      opening.onmessage = ({ data }) => say('server', String(data));
      opening.onerror = event => fail((event as WebSocketErrorEvent).error);
      opening.onclose = ({ code, wasClean }) => {
        socket = undefined;
        show('closed');
        if (wasClean) say('page', `closed (${code})`);
        onAnswered();
      };
    } catch (error) {
      show('closed');
      fail(error);
    }
  }

  toggle.addEventListener('click', () => {
    // What waits for the person, or for the server, ends too.
    if (socket) socket.close(1000);
    else if (toggle.textContent === 'Open') open();
  });
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (socket?.readyState !== WebSocket.OPEN || message.value === '') return;
    say('page', message.value);
    socket.send(message.value);
    message.value = '';
  });
  show('closed');
}
