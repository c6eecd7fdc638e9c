import { addAuthenticator } from './chromium.js';
import type { DemoPage } from './demo-page.js';

const ada = (demo: DemoPage) => demo.imported('ada-ecdsa.p12', 'Ada Lovelace');
const grace = (demo: DemoPage) => demo.imported('grace-rsa.p12', 'Grace Hopper');

async function answered(demo: DemoPage): Promise<void> {
  await demo.at('connect').click();
  await demo.at('client-subject').waitFor();
}

async function choose(demo: DemoPage, id: string, value: string): Promise<void> {
  await demo.at(id).selectOption(value);
}

/** Enters a passphrase once the dialog asks for it. */
async function passphrase(demo: DemoPage, text: string): Promise<void> {
  const input = demo.at('passphrase');
  await input.waitFor();
  await input.fill(text);
  await demo.at('passphrase-ok').click();
}

/** Ada, whose use a passphrase confirms. */
async function adaByPassphrase(demo: DemoPage): Promise<void> {
  await demo.visit('?verification=passphrase');
  await choose(demo, 'identity-verification', 'required');
  await demo.importFile('ada-ecdsa.p12');
  await passphrase(demo, 'first');
  await demo.at('locked').waitFor();
}

/** What the demo's page may look like, and how a person gets there from the start. */
export const DEMO_STATES: Record<string, (demo: DemoPage) => Promise<void>> = {
  'at the start': async () => {},

  'without a relay': async demo => {
    await demo.page.route('**/demo-config.json', route => route.fulfill({ body: 'none' }));
    await demo.visit();
    await demo.page.getByText('There is no relay here').waitFor();
  },

  'with the link to the main part': async demo => {
    await demo.page.keyboard.press('Tab');
  },

  'with a wrong password': async demo => {
    await demo.importFile('ada-ecdsa.p12', 'wrong');
    await demo.part('error').waitFor();
    await demo.part('reveal').click();
  },

  'while it imports': async demo => {
    await demo.at('importer').evaluate(importer => {
      (importer as HTMLElement & { store: unknown }).store = { add: () => new Promise(() => {}) };
    });
    await demo.importFile('ada-ecdsa.p12');
    await demo.part('progress').waitFor();
  },

  'with a file that cannot be fetched': async demo => {
    await demo.page.getByText('Fetch from a URL').click();
    await demo.at('p12-url').fill('https://');
    await demo.at('p12-fetch').click();
    await demo.errorCode('import-panel');
  },

  'with identities': async demo => {
    await choose(demo, 'identity-persistence', 'session');
    await choose(demo, 'identity-idle', '60000');
    await choose(demo, 'identity-expiry', '28800000');
    await ada(demo);
    await grace(demo);
    await demo.at('lock').first().click();
    await demo.at('locked').waitFor();
    for (const title of ['Hosts', 'Journal']) {
      await demo.at('identity').first().getByText(title, { exact: true }).click();
    }
    await demo.at('export-key').last().click();
    await demo.at('export-result').filter({ hasText: 'Refused' }).waitFor();
  },

  'with a long journal': async demo => {
    await ada(demo);
    // More than there is room for; uses within a minute are one.
    for (let uses = 0; uses < 6; uses++) {
      await demo.page.clock.setSystemTime(Date.now() + uses * 120_000);
      await demo.at('result').evaluate(result => result.replaceChildren());
      await demo.at('disconnect').click();
      await answered(demo);
    }
    await demo.page.getByText('Journal').click();
    await demo.at('journal').locator('li').nth(5).waitFor();
  },

  'asking before it deletes': async demo => {
    await ada(demo);
    await demo.at('delete').click();
    await demo.at('delete-confirm').waitFor();
  },

  'with an answer': async demo => {
    await ada(demo);
    await answered(demo);
    await demo.page.getByText('Headers and body').click();
  },

  'with an answer that is an error': async demo => {
    await ada(demo);
    await choose(demo, 'method', 'POST');
    await demo.at('path').fill('/nowhere');
    await demo.at('connect').click();
    await demo.at('status').filter({ hasText: '404' }).waitFor();
  },

  'while it waits for an answer': async demo => {
    await ada(demo);
    await demo.at('path').fill('/slow?seconds=600');
    await demo.at('connect').click();
    await demo.at('connect-status').filter({ hasText: 'so far' }).waitFor();
  },

  'with a target that the relay denies': async demo => {
    await choose(demo, 'target', 'custom');
    await demo.at('custom-target').fill('localhost:1');
    await demo.at('connect').click();
    await demo.errorCode('connect-panel');
  },

  'with a server that is not trusted': async demo => {
    await choose(demo, 'target', 'untrusted');
    await demo.at('connect').click();
    await demo.at('trust').waitFor();
  },

  'with remembered answers': async demo => {
    await ada(demo);
    await choose(demo, 'target', 'untrusted');
    await demo.at('connect').click();
    await choose(demo, 'trust-persistence', 'permanent');
    await demo.at('trust').click();
    await demo.at('answer').waitFor();
  },

  'asking which identity to show': async demo => {
    await ada(demo);
    await grace(demo);
    await demo.at('identity-hosts').fill('elsewhere.example');
    await demo.at('identity-hosts').blur();
    await demo.imported('alan-rsa-legacy.p12', 'Alan Turing');
    await demo.at('connect').click();
    await demo.at('picker').locator('[part="reason"]').waitFor();
  },

  'asking although there is no identity': async demo => {
    await choose(demo, 'identity-choice', 'ask');
    await demo.at('connect').click();
    await demo.at('picker').locator('[part="without"]').waitFor();
  },

  'asking for a new passphrase': async demo => {
    await demo.visit('?verification=passphrase');
    await choose(demo, 'identity-verification', 'required');
    await demo.importFile('ada-ecdsa.p12');
    await demo.at('passphrase').waitFor();
  },

  'asking for the passphrase again': async demo => {
    await adaByPassphrase(demo);
    await demo.at('unlock').click();
    await passphrase(demo, 'second');
    await demo.page.getByText('That was not it').waitFor();
  },

  'with an identity that an authenticator confirms': async demo => {
    await addAuthenticator(demo.page, { hasPrf: true });
    await choose(demo, 'identity-verification', 'required');
    await ada(demo);
    await demo.at('locked').waitFor();
  },

  'with an enrolled identity': async demo => {
    await demo.at('enroll').click();
    await demo.at('renew').waitFor();
  },

  'with an enrolment that waits': async demo => {
    await demo.page.route('**/demo-token.json*', route => route.fulfill({ json: { token: 'none' } }));
    await demo.at('enroll').click();
    await demo.at('pending-enrolment').waitFor();
    await demo.errorCode('enroll-panel');
  },

  'while it transfers': async demo => {
    await ada(demo);
    await choose(demo, 'transfer-size', '1000');
    await demo.at('download').click();
    await demo.at('transfer-status').filter({ hasText: '/s' }).waitFor();
  },

  'after a transfer': async demo => {
    await ada(demo);
    await choose(demo, 'transfer-size', '1');
    await demo.at('upload').click();
    await demo.at('transfer-status').filter({ hasText: 'every byte as sent' }).waitFor();
  },

  'with an open WebSocket': async demo => {
    await ada(demo);
    await demo.at('socket-toggle').click();
    await demo.at('socket-lines').getByText('Welcome').waitFor();
    // More than there is room for.
    for (let count = 0; count < 5; count++) {
      await demo.at('socket-message').fill('Hello');
      await demo.at('socket-send').click();
    }
    await demo.at('socket-lines').locator('li').nth(11).waitFor();
  },
};
