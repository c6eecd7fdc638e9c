import { type Browser, chromium, type LaunchOptions, type Page } from 'playwright-core';

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Debian's Chromium, without a window. Root may run it only without its sandbox. */
export function launchChromium(flags: string[] = []): Promise<Browser> {
  return chromium.launch(launchOptions(flags));
}

export function launchOptions(flags: string[] = []): LaunchOptions {
  return {
    executablePath: '/usr/bin/chromium',
    chromiumSandbox: process.getuid?.() !== 0,
    args: [...FLAGS, ...flags],
  };
}

/** What a page said that it should not have: errors of its scripts and its console, requests that failed. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(`error: ${error.message}`));
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('requestfailed', request => complaints.push(`request failed: ${request.url()}`));
  return complaints;
}

/** The texts of the scripts that a page loads, by address, as they come. */
export function scriptsOf(page: Page): Map<string, Promise<string>> {
  const scripts = new Map<string, Promise<string>>();
  page.on('response', response => {
    if (response.request().resourceType() === 'script') scripts.set(response.url(), response.text());
  });
  return scripts;
}

/** An authenticator that confirms whatever it is asked, until it is told otherwise. */
export async function addAuthenticator(page: Page, { hasPrf }: { hasPrf: boolean }) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      hasPrf,
    },
  });
  let asked = 0;
  session.on('WebAuthn.credentialAsserted', () => asked++);
  return {
    timesAsked: () => asked,
    refuse: () => session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false }),
  };
}
