import { IdentityStore, type StoredIdentity } from 'browser-mtls';
import 'browser-mtls/elements';
import { startAnswersPanel } from './answers-panel.js';
import { Clients } from './clients.js';
import { type DemoConfig, loadConfig } from './config.js';
import { type ConnectPanel, startConnectPanel } from './connect-panel.js';
import { byId } from './dom.js';
import { startEnrollPanel } from './enroll-panel.js';
import { startIdentitiesPanel } from './identities-panel.js';
import { startImportPanel } from './import-panel.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';
import { askForRelay } from './relay-form.js';
import { startSocketPanel } from './socket-panel.js';
import { startTransferPanel } from './transfer-panel.js';
import { demoVerification } from './verification.js';

const notice = byId('notice', HTMLElement);

async function start(): Promise<void> {
  const local = await loadConfig();
  const store = await IdentityStore.open({ verification: demoVerification() });
  const panels = new ConnectionPanels(store);
  if (local) panels.start(local);
  else askForRelay(notice, config => panels.start(config));

  const enrolment = local && startEnrollPanel(store, local);
  const refresh = startIdentitiesPanel({
    store,
    enrolment,
    onChange: identities => panels.setIdentities(identities),
  });
  startImportPanel(store, local);
  // What other tabs change shows here too.
  store.observe(refresh);
  await refresh();
  document.documentElement.dataset.ready = 'true';
  log('Ready');
}

/** The panels that need a relay: they start when there is one. */
class ConnectionPanels {
  readonly #store: IdentityStore;
  #identities: StoredIdentity[] = [];
  #connection: ConnectPanel | undefined;
  #showAnswers = () => {};

  constructor(store: IdentityStore) {
    this.#store = store;
  }

  start(config: DemoConfig): void {
    const clients = new Clients(config, this.#store);
    const showAnswers = startAnswersPanel(clients);
    const connection = startConnectPanel(config, clients, showAnswers);
    startTransferPanel(clients, connection, showAnswers);
    startSocketPanel(clients, connection, showAnswers);
    this.#connection = connection;
    this.#showAnswers = showAnswers;
    this.setIdentities(this.#identities);
  }

  setIdentities(identities: StoredIdentity[]): void {
    this.#identities = identities;
    this.#connection?.setIdentities(identities);
    this.#showAnswers();
  }
}

start().catch(error => {
  notice.replaceChildren(problemBox(problemOf(error)));
});
