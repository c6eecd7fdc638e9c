import {
  createClient,
  createIdentity,
  type Enrolment,
  enroll,
  type IdentityStore,
  type KeyAlgorithmName,
  pendingEnrolments,
  renew,
  type StoredIdentity,
  stepCa,
} from 'browser-mtls';
import type { LocalConfig } from './config.js';
import { readControls } from './controls-form.js';
import { button, byId, h } from './dom.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';

const ISSUER = 'Demo enrolment CA';

export interface EnrollPanel {
  /** Whether the authority of this demo has issued an identity, so that it can be renewed. */
  canRenew(identity: StoredIdentity): boolean;
  renew(identity: StoredIdentity): Promise<void>;
}

export function startEnrollPanel(store: IdentityStore, config: LocalConfig): EnrollPanel {
  const form = byId('enroll-form', HTMLFormElement);
  const name = byId('enroll-name', HTMLInputElement);
  const status = byId('enroll-status', HTMLElement);
  const problems = byId('enroll-error', HTMLElement);
  const { kind, url } = config.authority;
  byId('authority-name', HTMLElement).textContent =
    kind === 'step-ca' ? 'step-ca' : 'a stand-in for step-ca (npm start -- --step-ca takes the real one)';

  async function request(enrolment: Enrolment): Promise<void> {
    status.textContent = 'Asking the authority, through the relay …';
    const client = await createClient(connection(config));
    try {
      const authority = stepCa({ url, fetch: client.fetch, getToken: () => tokenFor(enrolment) });
      const identity = await enroll(enrolment, authority);
      status.textContent = `Enrolled ${identity.certificate.subject}. Its key was made here, and nowhere else has been.`;
      log(`Enrolled ${identity.certificate.subject}`, 'good');
    } finally {
      await client.close();
      await showPending();
    }
  }

  async function attempt(act: () => Promise<void>): Promise<void> {
    problems.replaceChildren();
    try {
      await act();
    } catch (error) {
      status.textContent = '';
      const problem = problemOf(error);
      problems.replaceChildren(problemBox(problem));
      log(`Enrolment failed: ${problem.title} (${problem.code})`, 'bad');
    }
  }

  async function showPending(): Promise<void> {
    const pending = await pendingEnrolments(store);
    const items = pending.map(enrolment =>
      h(
        'li',
        { class: 'row actions', 'data-testid': 'pending-enrolment' },
        h('span', { class: 'grow' }, `${enrolment.subject}: waits for its certificate`),
        button('Ask again', () => attempt(() => request(enrolment))),
        button('Forget', () =>
          attempt(async () => {
            await enrolment.cancel();
            await showPending();
          }),
        ),
      ),
    );
    byId('pending', HTMLUListElement).replaceChildren(...items);
  }

  form.addEventListener('submit', event => {
    event.preventDefault();
    attempt(async () => {
      status.textContent = 'Making the key …';
      const { hosts = [], ...controls } = readControls();
      const algorithm = byId('enroll-algorithm', HTMLSelectElement).value as KeyAlgorithmName;
      const enrolment = await createIdentity({
        subject: [{ type: 'CN', value: name.value.trim() }],
        algorithm,
        store,
        controls: { ...controls, hosts },
      });
      await request(enrolment);
    });
  });
  attempt(showPending);

  return {
    canRenew: ({ certificate }) => certificate.issuer.includes(`CN=${ISSUER}`),
    renew: identity =>
      attempt(async () => {
        const client = await createClient({ ...connection(config), identities: [identity] });
        try {
          await renew(identity, stepCa({ url, fetch: client.fetch }), { store });
          status.textContent = 'Renewed, over mutual TLS with the identity itself.';
          log(`Renewed ${identity.certificate.subject}`, 'good');
        } finally {
          await client.close();
        }
      }),
  };
}

function connection({ relay, anchors }: LocalConfig) {
  return { tunnel: relay.url, tunnelToken: relay.token, trust: { anchors } };
}

/** A backend would first look who is signed in. */
async function tokenFor({ subject }: Enrolment): Promise<string> {
  const name = /CN=((?:\\.|[^,+])*)/.exec(subject)?.[1]?.replace(/\\(.)/g, '$1') ?? subject;
  const response = await fetch(`./demo-token.json?${new URLSearchParams({ subject: name })}`);
  const { token } = (await response.json()) as { token: string };
  return token;
}
