import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accessibilityFaults } from '../support/axe.js';
import { addAuthenticator, complaintsOf, launchChromium } from '../support/chromium.js';
import { DemoPage } from '../support/demo-page.js';
import { DEMO_STATES } from '../support/demo-states.js';
import { type RunningProgram, startProgram } from '../support/process.js';
import { buildStepCa } from '../support/step-ca.js';

// The demo as the README starts it, used as a person would.

const FILES = [
  { file: 'ada-ecdsa.p12', subject: 'Ada Lovelace' },
  { file: 'grace-rsa.p12', subject: 'Grace Hopper' },
  { file: 'alan-rsa-legacy.p12', subject: 'Alan Turing' },
];

let demo: RunningProgram;
let address: string;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let demoPage: DemoPage;
let complaints: string[];

beforeAll(async () => {
  // With the real step-ca, which is built once.
  const path = `${dirname(await buildStepCa())}:${process.env.PATH}`;
  demo = startProgram('npm', ['start'], { group: true, env: { NO_COLOR: '1', PATH: path } });
  [, address = ''] = await demo.waitFor(/Open +(http:\/\/\S+)/, 60_000);
  await demo.waitFor(/Ctrl-C/);
  browser = await launchChromium();
}, 10 * 60_000);

afterAll(async () => {
  await browser?.close();
  await demo?.stop('SIGINT');
});

beforeEach(async () => {
  // Without motion, colours are the same at any moment.
  context = await browser.newContext({ reducedMotion: 'reduce' });
  await openPage();
});

afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
});

async function openPage(): Promise<void> {
  page = await context.newPage();
  complaints = complaintsOf(page);
  demoPage = new DemoPage(page, address);
  await demoPage.visit();
}

const at = (id: string) => demoPage.at(id);
const visit = () => demoPage.visit();
const imported = (file: string, subject: string) => demoPage.imported(file, subject);
const errorCode = (panel: string) => demoPage.errorCode(panel);

async function importError(): Promise<string | null> {
  const error = demoPage.part('error');
  await error.waitFor();
  return error.getAttribute('data-code');
}

describe.each(FILES)('$file', ({ file, subject }) => {
  test('import, reload, connect: the server names the subject', async () => {
    await imported(file, subject);
    await visit();
    expect(await at('identity-subject').textContent()).toContain(subject);

    await at('connect').click();
    await at('client-subject').waitFor();
    expect(await at('client-subject').textContent()).toContain(`CN=${subject}`);
    expect(await at('tls-version').textContent()).toContain('1.3');
    expect(await at('protocol').textContent()).toContain('h2');
    // The page says it, and so does the relay's own record of the bytes.
    expect(await at('relay-search').textContent()).toContain(`“${subject}”: it is not there`);
    expect(await relayHas(subject)).toBe(false);
  });

  test('the key cannot be exported', async () => {
    await imported(file, subject);
    await visit();
    await at('export-key').click();
    await at('export-result').filter({ hasText: 'Refused' }).waitFor();
  });

  test('TLS 1.2 and HTTP/1.1 work too', async () => {
    await imported(file, subject);
    await at('target').selectOption('tls12');
    await at('connect').click();
    await at('client-subject').waitFor();
    expect(await at('client-subject').textContent()).toContain(`CN=${subject}`);
    expect(await at('tls-version').textContent()).toContain('1.2');
    // Here the certificate travels in the clear: the search of the record does find what is there.
    expect(await relayHas(subject)).toBe(true);
  });
});

describe('problems have their code', () => {
  test('a wrong password', async () => {
    await demoPage.importFile('ada-ecdsa.p12', 'wrong');
    expect(await importError()).toBe('ERR_P12_PASSWORD');
  });

  test('a file that is no .p12', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mtls-demo-'));
    try {
      writeFileSync(join(folder, 'broken.p12'), 'not a PKCS#12 file');
      await demoPage.importFile(join(folder, 'broken.p12'));
      expect(await importError()).toBe('ERR_P12_MALFORMED');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ['wrong-name', 'ERR_TLS_CERT_NAME'],
    ['expired', 'ERR_TLS_CERT_EXPIRED'],
    ['untrusted', 'ERR_TLS_CERT_UNTRUSTED'],
  ])('the server %s', async (target, code) => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('target').selectOption(target);
    await at('connect').click();
    expect(await errorCode('connect-panel')).toBe(code);
  });

  test('no identity', async () => {
    await at('identity-choice').selectOption('none');
    await at('connect').click();
    expect(await errorCode('connect-panel')).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
  });

  test('a target that the relay does not allow', async () => {
    await at('target').selectOption('custom');
    await at('custom-target').fill('localhost:1');
    await at('connect').click();
    expect(await errorCode('connect-panel')).toBe('ERR_TUNNEL_DENIED');
  });
});

test('a deleted identity is gone, also after a reload', async () => {
  await imported('ada-ecdsa.p12', 'Ada Lovelace');
  await at('delete').click();
  await at('delete-confirm').click();
  await at('identity').waitFor({ state: 'detached' });
  await visit();
  expect(await at('identity').count()).toBe(0);
});

describe('challenges', () => {
  const choosesGrace = async () => {
    await at('connect').click();
    await at('picker').locator('[part="option"]').first().waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await shown('Grace Hopper');
  };
  const shown = async (subject: string) => {
    await at('client-subject').filter({ hasText: subject }).waitFor();
  };

  test('an identity that was picked is remembered across reloads, and asked for again when it is forgotten', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await imported('grace-rsa.p12', 'Grace Hopper');
    await choosesGrace();
    await at('answer').filter({ hasText: 'Grace Hopper' }).filter({ hasText: 'on this device' }).waitFor();
    await visit();
    await at('answer').filter({ hasText: 'Grace Hopper' }).waitFor();
    await at('connect').click();
    await shown('Grace Hopper');
    await at('forget').click();
    await at('answer').waitFor({ state: 'detached' });
    await at('result').evaluate(element => element.replaceChildren());
    await choosesGrace();
  });

  test('the picker asks about a single identity too, when the person wants to be asked', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('identity-choice').selectOption('ask');
    await at('connect').click();
    await at('picker').locator('[part="without"]').click();
    expect(await errorCode('connect-panel')).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    await at('answer').filter({ hasText: 'no certificate' }).waitFor();
    await at('forget-all').click();
    await at('answer').waitFor({ state: 'detached' });
    await at('connect').click();
    await at('picker').locator('[part="cancel"]').click();
    await at('connect-panel')
      .getByTestId('error')
      .and(page.locator('[data-code=ERR_TLS_CHALLENGE_CANCELLED]'))
      .waitFor();
  });

  test('an untrusted server shows its certificate before anything is sent, and is trusted by it', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('target').selectOption('untrusted');
    await at('connect').click();
    expect(await errorCode('connect-panel')).toBe('ERR_TLS_CERT_UNTRUSTED');
    const fingerprint = await at('server-trust').locator('.mono').first().textContent();
    expect(fingerprint?.replaceAll(' ', '')).toMatch(/^[0-9a-f]{64}$/);
    await at('trust-persistence').selectOption('permanent');
    await at('trust').press('Enter');
    await shown('Ada Lovelace');
    // The button is gone; the keyboard goes on from where one connects.
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('connect');
    await at('answer')
      .filter({ hasText: fingerprint ?? 'none' })
      .waitFor();
    await visit();
    await at('target').selectOption('untrusted');
    await at('connect').click();
    await shown('Ada Lovelace');
    await at('forget').click();
    await at('answer').waitFor({ state: 'detached' });
    await at('connect').click();
    expect(await errorCode('connect-panel')).toBe('ERR_TLS_CERT_UNTRUSTED');
  });
});

describe('the keychain', () => {
  const answer = async (problem?: string) => {
    await at('connect').click();
    if (problem) return expect(await errorCode('connect-panel')).toBe(problem);
    await at('client-subject').waitFor();
    expect(await at('connect-panel').getByTestId('error').count()).toBe(0);
  };

  test('the picker asks when several may go there, and shows why others may not', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await imported('grace-rsa.p12', 'Grace Hopper');
    await at('identity-hosts').fill('elsewhere.example');
    await at('identity-hosts').blur();
    await imported('alan-rsa-legacy.p12', 'Alan Turing');
    await at('connect').click();
    const picker = at('picker');
    await picker.locator('[part="option"]').first().waitFor();
    expect(await picker.locator('[part="reason"]').allTextContents()).toEqual([
      'It is not set for this host.',
    ]);
    // By the keyboard alone: the focus is on the first one.
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await at('client-subject').waitFor();
    expect(await at('client-subject').textContent()).toContain('CN=Grace Hopper');
  });

  test('a locked identity is not used until it is unlocked', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await answer();
    await at('lock').click();
    await at('locked').waitFor();
    await answer('ERR_IDENTITY_LOCKED');
    await at('unlock').click();
    await at('locked').waitFor({ state: 'detached' });
    await at('result').evaluate(element => element.replaceChildren());
    await answer();
  });

  test('it locks itself when it is idle, also on an open connection', async () => {
    await at('identity-idle').selectOption('3000');
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await answer();
    await page.waitForTimeout(3_500);
    await answer('ERR_IDENTITY_LOCKED');
  });

  test('one that is kept for the session outlives a reload, and not its last tab', async () => {
    await at('identity-persistence').selectOption('session');
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await page.reload();
    await page.getByTestId('identity').waitFor();
    await page.close();
    await openPage();
    expect(await at('identity').count()).toBe(0);
  });

  test('an authenticator confirms its use, and what is stored is no key', async () => {
    await addAuthenticator(page, { hasPrf: true });
    await at('identity-verification').selectOption('required');
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('locked').waitFor();
    await answer();
    expect(await at('client-subject').textContent()).toContain('CN=Ada Lovelace');
    await at('locked').waitFor({ state: 'detached' });
    await at('export-key').click();
    await at('export-result').filter({ hasText: 'There is none.' }).waitFor();
  });

  test('hosts are edited, uses are in the journal, other tabs see it', async () => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await answer();
    const other = await context.newPage();
    await other.goto(address);
    await other.getByTestId('identity').waitFor();
    await other.getByText('Journal').click();
    await other.getByTestId('journal').getByText('localhost:').waitFor();
    await other.getByText('Hosts', { exact: true }).click();
    await other.getByTestId('edit-hosts').fill('elsewhere.example');
    await other.getByTestId('save-hosts').click();
    await page.getByTestId('identity').filter({ hasText: 'elsewhere.example' }).waitFor();
    await answer('ERR_TLS_CLIENT_CERT_REQUIRED');
  });
});

test('an identity is enrolled at step-ca, used, and renewed', async () => {
  expect(demo.output()).toMatch(/Authority +\S+ +step-ca/);
  await at('enroll').click();
  await page.getByTestId('identity').filter({ hasText: 'Katherine Johnson' }).waitFor();
  await at('connect').click();
  await at('client-subject').waitFor();
  expect(await at('client-subject').textContent()).toContain('CN=Katherine Johnson');
  await at('renew').click();
  await at('enroll-status').filter({ hasText: 'Renewed' }).waitFor();
  expect(await at('enroll-panel').getByTestId('error').count()).toBe(0);
});

test('a megabyte comes and goes', async () => {
  await imported('ada-ecdsa.p12', 'Ada Lovelace');
  await at('transfer-size').selectOption('1');
  for (const direction of ['download', 'upload']) {
    await at(direction).click();
    await at('transfer-status').filter({ hasText: /\d/ }).waitFor();
    await page.waitForFunction(() => !document.querySelector('[data-testid=transfer-cancel]:not(:disabled)'));
    expect(await at('transfer-panel').getByTestId('error').count()).toBe(0);
  }
});

test.each(['download', 'upload'])(
  'fifty megabytes of %s stream, and show how far they are',
  async direction => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('transfer-size').selectOption('50');
    // Watched from within, because a poll from outside might come too late.
    await at('transfer-progress').evaluate((progress: HTMLProgressElement) => {
      const values = new Set<number>();
      const watch = () => {
        values.add(progress.value);
        progress.dataset.values = String(values.size);
        requestAnimationFrame(watch);
      };
      watch();
    });
    await at(direction).click();
    await at('transfer-status').filter({ hasText: 'every byte as sent' }).waitFor({ timeout: 120_000 });
    const values = Number(await at('transfer-progress').getAttribute('data-values'));
    // Beside nothing and all.
    expect(values).toBeGreaterThan(3);
    expect(await at('transfer-panel').getByTestId('error').count()).toBe(0);
  },
);

test.each(['modern', 'tls12'])(
  'a WebSocket to the server %s knows the client and gives messages back',
  async target => {
    await imported('ada-ecdsa.p12', 'Ada Lovelace');
    await at('target').selectOption(target);
    await at('socket-toggle').click();
    await at('socket-lines').getByText('Welcome, CN=Ada Lovelace').waitFor();
    await at('socket-message').fill('Grüße');
    await page.keyboard.press('Enter');
    await at('socket-lines').getByText('Grüße').nth(1).waitFor();
    await at('socket-toggle').click();
    await at('socket-lines').getByText('closed (1000)').waitFor();
  },
);

test('a WebSocket without an identity says what is missing', async () => {
  await at('identity-choice').selectOption('none');
  await at('socket-toggle').click();
  expect(await errorCode('socket-panel')).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
  expect(await at('socket-toggle').textContent()).toBe('Open');
});

describe('axe-core finds no fault in the page', () => {
  test.each(Object.entries(DEMO_STATES))('%s', async (_name, reach) => {
    await reach(demoPage);
    expect(await accessibilityFaults(page)).toEqual([]);
  });
});

test('Ctrl-C stops all of it, and quietly', async () => {
  const second = startProgram('npm', ['start'], { group: true, env: { NO_COLOR: '1' } });
  try {
    await second.waitFor(/Ctrl-C/, 60_000);
    // The first demo has the ports: the second says so and takes others.
    expect(second.output()).toMatch(/Port \d+ is taken/);
    const ports = [...second.output().matchAll(/(?:127\.0\.0\.1|localhost):(\d+)/g)].map(([, port]) =>
      Number(port),
    );
    expect(ports.length).toBeGreaterThan(4);
    for (const port of ports) expect(await listens(port)).toBe(true);
    await second.stop('SIGINT');
    for (const port of ports) expect(await listens(port)).toBe(false);
    expect(second.output()).not.toMatch(/error/i);
  } finally {
    await second.stop('SIGKILL');
  }
});

async function relayHas(text: string): Promise<boolean> {
  const response = await fetch(new URL(`demo-relay.json?${new URLSearchParams({ text })}`, address));
  return ((await response.json()) as { found: boolean }).found;
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
