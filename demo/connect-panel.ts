import type { ConnectionInfo, StoredIdentity } from 'browser-mtls';
import { readAll } from './body.js';
import type { Clients, IdentityChoice } from './clients.js';
import type { DemoConfig, Target } from './config.js';
import { byId, h } from './dom.js';
import { commonName, formatBytes, formatMs } from './format.js';
import { nameOf } from './identities-panel.js';
import { log } from './log.js';
import { DemoError, type Problem, problemBox, problemOf, stopped } from './problems.js';
import { relayReport } from './relay-report.js';
import { type Exchange, resultView, whoAmI } from './result-view.js';
import { trustView } from './trust-desk.js';

const CUSTOM = 'custom';
/** What is shown of a body. Larger ones are read to their end all the same. */
const SHOWN_BYTES = 64 * 1024;
/** Screen readers announce the status: not more often than this. */
const STATUS_INTERVAL_MS = 2000;

export interface ConnectPanel {
  setIdentities(identities: StoredIdentity[]): void;
  /** `https://host:port` of the chosen server. */
  origin(): string;
  choice(): IdentityChoice;
}

/** `onAnswered` is called when challenges may have been answered. */
export function startConnectPanel(
  config: DemoConfig,
  clients: Clients,
  onAnswered: () => void,
): ConnectPanel {
  const form = byId('connect-form', HTMLFormElement);
  const target = byId('target', HTMLSelectElement);
  const method = byId('method', HTMLSelectElement);
  const path = byId('path', HTMLInputElement);
  const choice = byId('identity-choice', HTMLSelectElement);
  const cancel = byId('connect-cancel', HTMLButtonElement);
  const status = byId('connect-status', HTMLElement);
  const problems = byId('connect-error', HTMLElement);
  const result = byId('result', HTMLElement);
  let identities: StoredIdentity[] = [];
  let running: AbortController | undefined;

  const origin = () => originOf(target.value, config.targets);

  const address = () => new URL(path.value.startsWith('/') ? path.value : `/${path.value}`, origin()).href;

  /** For the log: what was typed need not be an address. */
  function askedFor(): string {
    try {
      return address();
    } catch {
      return path.value;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    const url = address();
    const relayBefore = config.hasRecord ? await relayReport() : undefined;
    const startedAt = performance.now();
    const client = await clients.get(choice.value);
    const sendsBody = hasBody(method.value);
    const response = await client.fetch(url, {
      method: method.value,
      signal,
      ...(sendsBody && { body: byId('body', HTMLTextAreaElement).value }),
    });
    const body = await readShown(response, bytes => {
      status.textContent = `${response.status}, ${formatBytes(bytes)} so far …`;
    });
    const totalMs = performance.now() - startedAt;
    const who = whoAmI(body.bodyText);
    const text = who?.client && commonName(who.client.subject);
    const relayAfter =
      relayBefore && (await relayReport({ since: relayBefore.position, ...(text && { text }) }));
    const info = client.connectionInfo(response);
    const reused = info !== undefined && seenBefore(info);
    const exchange: Exchange = {
      url,
      response,
      totalMs,
      info,
      reused,
      relayBefore,
      relayAfter,
      identities,
      ...body,
    };
    result.replaceChildren(...resultView(exchange));
    status.textContent = `Answered with ${response.status} in ${formatMs(totalMs)}.`;
    const sender = who?.client ? `, as ${commonName(who.client.subject)}` : '';
    log(`${method.value} ${url}: ${response.status}${sender}`, response.ok ? 'good' : 'info');
  }

  form.addEventListener('submit', async event => {
    event.preventDefault();
    if (running) return;
    running = new AbortController();
    setRunning(true);
    problems.replaceChildren();
    clients.trust.take();
    status.textContent = 'Opening the tunnel, shaking hands, asking …';
    try {
      await run(running.signal);
    } catch (error) {
      const problem = problemOf(error);
      problems.replaceChildren(problemBox(problem), ...refusedServer());
      result.replaceChildren();
      status.textContent = isExpected(problem) ? 'As it should be: this server must be refused.' : '';
      log(`${method.value} ${askedFor()}: ${problem.title} (${problem.code})`, 'bad');
    } finally {
      running = undefined;
      setRunning(false);
      onAnswered();
    }
  });

  /** What was shown by a server that is not trusted, and the way to trust it. */
  function refusedServer(): HTMLElement[] {
    const challenge = clients.trust.take();
    if (!challenge) return [];
    const trust = trustView(challenge, persistence => {
      clients.trust.grant(challenge, persistence);
      log(`Trusts the certificate of ${challenge.host}:${challenge.port}`);
      // The button goes, and the focus must not go with it.
      byId('connect', HTMLButtonElement).focus();
      form.requestSubmit();
    });
    return [trust];
  }

  function isExpected({ code }: Problem): boolean {
    return config.targets.some(({ id, expect }) => id === target.value && expect === code);
  }

  function setRunning(busy: boolean): void {
    byId('connect', HTMLButtonElement).setAttribute('aria-disabled', String(busy));
    result.setAttribute('aria-busy', String(busy));
    // A button that is disabled while it has the focus would lose it.
    if (!busy && document.activeElement === cancel) byId('connect', HTMLButtonElement).focus();
    cancel.disabled = !busy;
  }

  cancel.addEventListener('click', () => running?.abort(stopped()));
  byId('disconnect', HTMLButtonElement).addEventListener('click', async () => {
    await clients.closeAll();
    onAnswered();
    log('Closed all connections');
  });
  method.addEventListener('change', () => {
    byId('body-field', HTMLElement).hidden = !hasBody(method.value);
    if (hasBody(method.value) && path.value === '/') path.value = '/echo';
  });
  const showCustom = () => {
    byId('custom-target-field', HTMLElement).hidden = target.value !== CUSTOM;
  };
  target.addEventListener('change', showCustom);
  fillTargets(target, config.targets);
  byId('custom-target-hint', HTMLElement).hidden = config.targets.length === 0;
  showCustom();

  return {
    origin,
    choice: () => choice.value,
    setIdentities(stored) {
      identities = stored;
      fillChoices(choice, stored);
    },
  };
}

const seenConnections = new Set<string>();

/** The library does not name connections, but no two take the same time to open, to the last digit. */
function seenBefore({ timings: { tunnelMs, handshakeMs } }: ConnectionInfo): boolean {
  const key = `${tunnelMs} ${handshakeMs}`;
  const seen = seenConnections.has(key);
  seenConnections.add(key);
  return seen;
}

function originOf(value: string, targets: Target[]): string {
  const known = targets.find(({ id }) => id === value);
  if (known) return `https://${known.hostname}:${known.port}`;
  const typed = byId('custom-target', HTMLInputElement);
  try {
    return new URL(`https://${typed.value.trim()}`).origin;
  } catch {
    typed.focus();
    throw new DemoError('ADDRESS', 'give a host and a port, such as example.com:443');
  }
}

function fillTargets(select: HTMLSelectElement, targets: Target[]): void {
  const option = ({ id, title, hostname, port }: Target) =>
    h('option', { value: id }, `${title}: ${hostname}:${port}`);
  const good = targets.filter(({ expect }) => !expect);
  const bad = targets.filter(({ expect }) => expect);
  select.append(
    ...group('Ask for a client certificate', good.map(option)),
    ...group('Must be refused', bad.map(option)),
    h('option', { value: CUSTOM }, 'Another address …'),
  );
}

function group(label: string, options: HTMLElement[]): HTMLElement[] {
  return options.length > 0 ? [h('optgroup', { label }, ...options)] : [];
}

/** The choice is kept when the list changes, unless the chosen identity is gone. */
function fillChoices(select: HTMLSelectElement, identities: StoredIdentity[]): void {
  const before = select.value;
  select.replaceChildren(
    h('option', { value: 'auto' }, 'Whichever may be sent to this host'),
    h('option', { value: 'ask' }, 'Ask me'),
    ...identities.map(identity =>
      h('option', { value: identity.id }, `${nameOf(identity)} (${identity.certificate.keyAlgorithm})`),
    ),
    h('option', { value: 'none' }, 'None'),
  );
  const kept = before === 'none' || before === 'ask' || identities.some(({ id }) => id === before);
  select.value = kept ? before : 'auto';
}

function hasBody(method: string): boolean {
  return method === 'POST' || method === 'PUT';
}

async function readShown(response: Response, onProgress: (bytes: number) => void) {
  const decoder = new TextDecoder();
  let bodyText = '';
  let bodyBytes = 0;
  let toldAt = performance.now();
  await readAll(response.body, chunk => {
    const room = SHOWN_BYTES - bodyBytes;
    if (room > 0) bodyText += decoder.decode(chunk.subarray(0, room), { stream: true });
    bodyBytes += chunk.length;
    if (performance.now() - toldAt < STATUS_INTERVAL_MS) return;
    toldAt = performance.now();
    onProgress(bodyBytes);
  });
  bodyText += decoder.decode();
  if (bodyBytes > SHOWN_BYTES) bodyText += `\n… ${formatBytes(bodyBytes - SHOWN_BYTES)} more`;
  return { bodyText, bodyBytes };
}
