import {
  type IdentityControls,
  type IdentityStore,
  openPkcs12,
  type Pkcs12,
  type StoredIdentity,
} from 'browser-mtls';
import type { DemoConfig, Sample } from './config.js';
import { button, byId, h } from './dom.js';
import { formatBytes, formatMs } from './format.js';
import { nameOf } from './identities-panel.js';
import { log } from './log.js';
import { DemoError, problemBox, problemOf } from './problems.js';

interface ChosenFile {
  name: string;
  content: Blob;
}

interface ImportOptions {
  store: IdentityStore;
  config: DemoConfig | undefined;
  onImported: (identities: StoredIdentity[]) => void;
}

/** How full the bar is when a step begins. Deriving keys from the password is what takes time. */
const STEPS = { opening: 0.1, storing: 0.9, done: 1 };

export function startImportPanel({ store, config, onImported }: ImportOptions): void {
  const form = byId('import-form', HTMLFormElement);
  const fileInput = byId('p12-file', HTMLInputElement);
  const urlInput = byId('p12-url', HTMLInputElement);
  const password = byId('p12-password', HTMLInputElement);
  const submit = byId('import', HTMLButtonElement);
  let chosen: ChosenFile | undefined;
  let busy = false;

  function choose(file: ChosenFile): void {
    chosen = file;
    byId('drop-title', HTMLElement).textContent = file.name;
    byId('drop-detail', HTMLElement).textContent = `${formatBytes(file.content.size)}, ready to import`;
    byId('drop', HTMLElement).classList.add('filled');
    clearProblem();
    say('');
  }

  function forget(): void {
    chosen = undefined;
    form.reset();
    byId('drop-title', HTMLElement).textContent = 'Choose a .p12 or .pfx file';
    byId('drop-detail', HTMLElement).textContent = 'or drop it here';
    byId('drop', HTMLElement).classList.remove('filled');
  }

  async function fetchFile(address: string): Promise<void> {
    clearProblem();
    say(`Fetching ${address} …`);
    try {
      const url = new URL(address, document.baseURI);
      const response = await fetch(url);
      if (!response.ok) throw new DemoError('FETCH', `the server answered with status ${response.status}`);
      choose({ name: url.pathname.split('/').pop() || url.hostname, content: await response.blob() });
      log(`Fetched ${url.pathname.split('/').pop()} from ${url.host}`);
      password.focus();
    } catch (error) {
      say('');
      const message = error instanceof Error ? error.message : String(error);
      show({
        code: 'FETCH',
        title: 'The file could not be fetched',
        advice: 'Is the address right, and does its server allow this page to read it (CORS)?',
        message,
      });
    }
  }

  async function run(): Promise<void> {
    clearProblem();
    if (!chosen) {
      say('Choose a .p12 file first.');
      fileInput.focus();
      return;
    }
    const { name, content } = chosen;
    const startedAt = performance.now();
    step(STEPS.opening, `Opening ${name}: deriving keys from the password …`);
    const opened = await openPkcs12(content, {
      password: password.value,
      onProgress: ({ completed, total }) => fill(completed / total),
    });
    if (opened.identities.length === 0) {
      throw new DemoError(
        'ERR_P12_EMPTY',
        `the file holds ${opened.certificates.length} certificates and no key`,
      );
    }
    step(STEPS.storing, 'Storing the keys, which cannot be exported from now on …');
    const stored = await storeAll(store, opened, readControls());
    step(
      STEPS.done,
      `Imported ${stored.map(nameOf).join(', ')} in ${formatMs(performance.now() - startedAt)}.`,
    );
    log(`Imported ${stored.map(nameOf).join(', ')} from ${name}`, 'good');
    forget();
    onImported(stored);
  }

  form.addEventListener('submit', async event => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    submit.setAttribute('aria-disabled', 'true');
    try {
      await run();
    } catch (error) {
      const problem = problemOf(error);
      step(0, '');
      show(problem);
      log(`Import failed: ${problem.title} (${problem.code})`, 'bad');
      if (problem.code === 'ERR_P12_PASSWORD') askPasswordAgain(password);
    } finally {
      busy = false;
      submit.removeAttribute('aria-disabled');
    }
  });

  fileInput.addEventListener('change', () => {
    const [file] = fileInput.files ?? [];
    if (file) choose({ name: file.name, content: file });
  });
  acceptDrops(file => choose({ name: file.name, content: file }));
  byId('p12-fetch', HTMLButtonElement).addEventListener('click', () => fetchFile(urlInput.value));
  urlInput.addEventListener('keydown', event => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    fetchFile(urlInput.value);
  });
  password.addEventListener('input', () => password.removeAttribute('aria-invalid'));
  startPasswordToggle(password);
  if (config) offerSamples(config, sample => fetchFile(sample.url));
}

async function storeAll(
  store: IdentityStore,
  { identities }: Pkcs12,
  controls: IdentityControls,
): Promise<StoredIdentity[]> {
  const { label, ...others } = controls;
  const stored: StoredIdentity[] = [];
  let duplicate: unknown;
  for (const identity of identities) {
    try {
      // One label cannot name several.
      stored.push(await store.add(identity, identities.length === 1 ? controls : others));
    } catch (error) {
      if (problemOf(error).code !== 'ERR_IDENTITY_DUPLICATE') throw error;
      duplicate = error;
    }
  }
  if (stored.length === 0) throw duplicate;
  return stored;
}

function readControls(): IdentityControls {
  const label = byId('identity-label', HTMLInputElement).value.trim();
  const hosts = byId('identity-hosts', HTMLInputElement)
    .value.split(/[\s,]+/)
    .filter(Boolean);
  return { ...(label && { label }), hosts };
}

function askPasswordAgain(password: HTMLInputElement): void {
  password.setAttribute('aria-invalid', 'true');
  password.focus();
  password.select();
}

function startPasswordToggle(password: HTMLInputElement): void {
  const toggle = byId('password-show', HTMLButtonElement);
  toggle.addEventListener('click', () => {
    const shown = password.type === 'password';
    password.type = shown ? 'text' : 'password';
    toggle.setAttribute('aria-pressed', String(shown));
  });
}

function offerSamples({ samples, password }: DemoConfig, onChoose: (sample: Sample) => void): void {
  const items = samples.map(sample => {
    const choose = button(sample.title, () => onChoose(sample), {
      'data-testid': 'sample',
      'data-file': sample.file,
    });
    choose.append(h('small', {}, sample.about));
    return h('li', {}, choose);
  });
  byId('sample-list', HTMLUListElement).append(...items);
  byId('samples', HTMLElement).hidden = false;
  byId('password-hint', HTMLElement).replaceChildren(
    'The password of those files is ',
    h('code', {}, password),
    '.',
  );
}

function acceptDrops(onFile: (file: File) => void): void {
  const drop = byId('drop', HTMLElement);
  // Without this a file that misses the zone would replace the page.
  for (const type of ['dragover', 'drop']) window.addEventListener(type, event => event.preventDefault());
  for (const type of ['dragenter', 'dragover']) drop.addEventListener(type, () => drop.classList.add('over'));
  for (const type of ['dragleave', 'drop']) drop.addEventListener(type, () => drop.classList.remove('over'));
  drop.addEventListener('drop', event => {
    const [file] = event.dataTransfer?.files ?? [];
    if (file) onFile(file);
  });
}

function step(value: number, text: string): void {
  byId('import-progress', HTMLProgressElement).value = value;
  say(text);
}

/** Between the start of opening and that of storing, by the share of the work that is done. */
function fill(share: number): void {
  byId('import-progress', HTMLProgressElement).value =
    STEPS.opening + (STEPS.storing - STEPS.opening) * share;
}

function say(text: string): void {
  byId('import-status', HTMLElement).textContent = text;
}

function show(problem: Parameters<typeof problemBox>[0]): void {
  byId('import-error', HTMLElement).replaceChildren(problemBox(problem));
}

function clearProblem(): void {
  byId('import-error', HTMLElement).replaceChildren();
}
