import { IdentityStore } from 'browser-mtls';
import 'browser-mtls/elements';
import { startAnswersPanel } from './answers-panel.js';
import { Clients } from './clients.js';
import { loadConfig } from './config.js';
import { startConnectPanel } from './connect-panel.js';
import { byId, h } from './dom.js';
import { startEnrollPanel } from './enroll-panel.js';
import { startIdentitiesPanel } from './identities-panel.js';
import { startImportPanel } from './import-panel.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';
import { startSocketPanel } from './socket-panel.js';
import { startTransferPanel } from './transfer-panel.js';
import { demoVerification } from './verification.js';

const notice = byId('notice', HTMLElement);

async function start(): Promise<void> {
  const config = await loadConfig();
  const store = await IdentityStore.open({ verification: demoVerification() });
  const clients = config && new Clients(config, store);
  const showAnswers = clients && startAnswersPanel(clients);
  const connection = config && clients && startConnectPanel(config, clients, () => showAnswers?.());
  if (clients && connection) {
    startTransferPanel(clients, connection, () => showAnswers?.());
    startSocketPanel(clients, connection, () => showAnswers?.());
  } else explainMissingServers();

  const enrolment = config && startEnrollPanel(store, config);
  const refresh = startIdentitiesPanel({
    store,
    enrolment,
    onChange: identities => {
      connection?.setIdentities(identities);
      showAnswers?.();
    },
  });
  startImportPanel(store, config);
  // What other tabs change shows here too.
  store.observe(refresh);
  await refresh();
  document.documentElement.dataset.ready = 'true';
  log('Ready');
}

function explainMissingServers(): void {
  notice.replaceChildren(
    h(
      'p',
      { class: 'notice' },
      'There is no relay here to connect through. Import and storage work; for the rest, run ',
      h('code', {}, 'npm start'),
      '.',
    ),
  );
  for (const id of ['connect-form', 'transfer-form', 'socket-form', 'enroll-form']) {
    for (const control of byId(id, HTMLFormElement).elements) control.setAttribute('disabled', '');
  }
}

start().catch(error => {
  notice.replaceChildren(problemBox(problemOf(error)));
});
