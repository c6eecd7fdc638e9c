import type { MtlsRequestInit } from 'browser-mtls';
import { PatternCheck, patternStream, readAll } from './body.js';
import type { Clients } from './clients.js';
import type { ConnectPanel } from './connect-panel.js';
import { byId } from './dom.js';
import { formatBytes, formatMs } from './format.js';
import { log } from './log.js';
import { DemoError, problemBox, problemOf, stopped } from './problems.js';

const REDRAW_MS = 100;
/** Screen readers are told that much less often than the eye: at each quarter. */
const SPOKEN_PERCENT = 25;

export function startTransferPanel(clients: Clients, connection: ConnectPanel, onAnswered: () => void): void {
  const cancel = byId('transfer-cancel', HTMLButtonElement);
  const progress = byId('transfer-progress', HTMLProgressElement);
  const status = byId('transfer-status', HTMLElement);
  const spoken = byId('transfer-spoken', HTMLElement);
  const problems = byId('transfer-error', HTMLElement);
  let running: AbortController | undefined;

  /** Shows how far a transfer is, at most every `REDRAW_MS`. */
  function meter(size: number) {
    const startedAt = performance.now();
    let shownAt = 0;
    let spokenPercent = 0;
    return (done: number, note = '') => {
      const now = performance.now();
      if (done < size && now - shownAt < REDRAW_MS) return;
      shownAt = now;
      const seconds = Math.max(now - startedAt, 1) / 1000;
      progress.value = done / size;
      const percent = Math.floor((done / size) * (100 / SPOKEN_PERCENT)) * SPOKEN_PERCENT;
      if (percent > spokenPercent && percent < 100) spoken.textContent = `${percent} percent`;
      spokenPercent = percent;
      status.textContent = `${formatBytes(done)} of ${formatBytes(size)}, ${formatBytes(done / seconds)}/s${note}`;
    };
  }

  async function download(size: number, signal: AbortSignal): Promise<void> {
    const client = await clients.get(connection.choice());
    const response = await client.fetch(`${connection.origin()}/bytes?size=${size}`, { signal });
    await receive(response, size, meter(size));
  }

  async function upload(size: number, signal: AbortSignal): Promise<void> {
    const client = await clients.get(connection.choice());
    const show = meter(size);
    let sent = 0;
    const init: MtlsRequestInit & { duplex: 'half' } = {
      method: 'POST',
      body: patternStream(size),
      duplex: 'half',
      signal,
      onUploadProgress({ bytes }) {
        sent = bytes;
      },
    };
    const response = await client.fetch(`${connection.origin()}/echo`, init);
    await receive(response, size, done => show(done, ` back, ${formatBytes(sent)} sent`));
  }

  async function run(
    name: string,
    transfer: (size: number, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    if (running) return;
    running = new AbortController();
    cancel.disabled = false;
    problems.replaceChildren();
    progress.value = 0;
    status.textContent = 'Starting …';
    spoken.textContent = '';
    const size = Number(byId('transfer-size', HTMLSelectElement).value) * 1_000_000;
    const startedAt = performance.now();
    try {
      await transfer(size, running.signal);
      const ms = performance.now() - startedAt;
      status.textContent = `${formatBytes(size)}, every byte as sent, in ${formatMs(ms)}: ${formatBytes((size / ms) * 1000)}/s`;
      log(`${name} of ${formatBytes(size)} in ${formatMs(ms)}`, 'good');
    } catch (error) {
      const problem = problemOf(error);
      if (progress.value === 0) status.textContent = '';
      problems.replaceChildren(problemBox(problem));
      log(`${name}: ${problem.title} (${problem.code})`, 'bad');
    } finally {
      running = undefined;
      if (document.activeElement === cancel) byId('download', HTMLButtonElement).focus();
      cancel.disabled = true;
      onAnswered();
    }
  }

  byId('transfer-form', HTMLFormElement).addEventListener('submit', event => {
    event.preventDefault();
    run('Download', download);
  });
  byId('upload', HTMLButtonElement).addEventListener('click', () => run('Upload', upload));
  cancel.addEventListener('click', () => running?.abort(stopped()));
}

async function receive(response: Response, size: number, onProgress: (done: number) => void): Promise<void> {
  if (!response.ok) throw new DemoError('STATUS', `the server answered with status ${response.status}`);
  const check = new PatternCheck();
  await readAll(response.body, chunk => {
    check.add(chunk);
    onProgress(check.received);
  });
  if (!check.intact || check.received !== size) {
    throw new DemoError('DIFFERENT', `after ${check.received} bytes of ${size}`);
  }
}
