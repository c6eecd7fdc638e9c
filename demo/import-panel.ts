import type { IdentityStore, StoredIdentity } from 'browser-mtls';
import type { IdentityErrorDetail, IdentityImportDetail } from 'browser-mtls/elements';
import type { LocalConfig, Sample } from './config.js';
import { readControls } from './controls-form.js';
import { button, byId, h } from './dom.js';
import { nameOf } from './identities-panel.js';
import { log } from './log.js';
import { problemBox, problemOf } from './problems.js';
import { describeVerification } from './verification.js';

/** The element does the import; the panel has what is around it: samples, files from an address, the controls. */
export function startImportPanel(store: IdentityStore, config: LocalConfig | undefined): void {
  const importer = byId('importer', HTMLElement) as HTMLElementTagNameMap['identity-import'];
  const url = byId('p12-url', HTMLInputElement);
  const problems = byId('import-error', HTMLElement);
  importer.store = store;
  byId('verification-hint', HTMLElement).replaceChildren(...describeVerification());

  const form = byId('controls-form', HTMLFormElement);
  const takeControls = () => {
    importer.controls = readControls();
  };
  form.addEventListener('change', takeControls);
  form.addEventListener('submit', event => event.preventDefault());
  // `expiresAt` counts from the import on.
  importer.addEventListener('click', takeControls, { capture: true });
  takeControls();

  importer.addEventListener('identity-import', event => {
    const { identities } = (event as CustomEvent<IdentityImportDetail>).detail;
    for (const identity of identities) log(`Imported ${nameOf(identity as StoredIdentity)}`, 'good');
  });
  importer.addEventListener('identity-error', event => {
    const { error } = (event as CustomEvent<IdentityErrorDetail>).detail;
    const { title, code } = problemOf(error);
    log(`Import failed: ${title} (${code})`, 'bad');
  });

  async function fetchFile(address: string): Promise<void> {
    problems.replaceChildren();
    try {
      const { href, pathname, hostname } = new URL(address, document.baseURI);
      const response = await fetch(href);
      if (!response.ok) throw new Error(`the server answered with status ${response.status}`);
      importer.choose(await response.blob(), pathname.split('/').pop() || hostname);
      importer.focus();
      log(`Fetched ${pathname.split('/').pop()} from ${hostname}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const advice = 'Is the address right, and does its server allow this page to read it (CORS)?';
      problems.replaceChildren(
        problemBox({ code: 'FETCH', title: 'The file could not be fetched', advice, message }),
      );
    }
  }

  byId('url-form', HTMLFormElement).addEventListener('submit', event => {
    event.preventDefault();
    fetchFile(url.value);
  });
  // Without this a file that misses the zone would replace the page.
  for (const type of ['dragover', 'drop']) window.addEventListener(type, event => event.preventDefault());
  if (config) offerSamples(config, sample => fetchFile(sample.url));
}

function offerSamples({ samples, password }: LocalConfig, onChoose: (sample: Sample) => void): void {
  const items = samples.map(sample => {
    const choose = button(sample.title, () => onChoose(sample), {
      'data-testid': 'sample',
      'data-file': sample.file,
    });
    choose.append(h('small', {}, sample.about));
    return h('li', {}, choose);
  });
  byId('sample-list', HTMLUListElement).append(...items);
  byId('sample-password', HTMLElement).textContent = password;
  byId('samples', HTMLElement).hidden = false;
}
