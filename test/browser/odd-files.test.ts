import { afterAll, beforeAll, expect, it } from 'vitest';
import { inEachEngine } from '../support/engines/each.js';
import { absurdFiles, circle, crossSignedMesh } from '../support/hostile-pkcs12.js';
import { startUserPages, type UserPages } from '../support/user-page.js';

/** Some fifty on a machine that does nothing else; before there were bounds, seconds to minutes. */
const MAX_PAUSE_MS = 400;
const MAX_ABORT_MS = 500;

let pages: UserPages;

beforeAll(async () => {
  pages = await startUserPages();
}, 30_000);
afterAll(() => pages?.stop());

const base64 = (file: Uint8Array) => Buffer.from(file).toString('base64');

inEachEngine(
  () => pages.origin,
  browser => {
    /** Opens a file while the page's timers run, and tells their longest pause. */
    const opened = (file: Uint8Array, abortAfterMs?: number) =>
      browser.run(
        async ({ file, abortAfterMs }) => {
          const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
          await globalThis.library.openPkcs12(bytes.subarray(0, 0), { password: '' }).catch(() => {});
          let longestMs = 0;
          let lastMs = performance.now();
          const timer = setInterval(() => {
            longestMs = Math.max(longestMs, performance.now() - lastMs);
            lastMs = performance.now();
          }, 1);
          const startMs = performance.now();
          const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs);
          const outcome = await globalThis.library
            .openPkcs12(bytes, { password: '', ...(signal && { signal }) })
            .then(
              ({ identities }) => identities.length,
              (error: Error & { code?: string }) => (error.name === 'TimeoutError' ? error.name : error.code),
            );
          const tookMs = performance.now() - startMs;
          // What came last.
          await new Promise(resolve => setTimeout(resolve, 5));
          clearInterval(timer);
          return { outcome, longestMs, tookMs };
        },
        { file: base64(file), ...(abortAfterMs !== undefined && { abortAfterMs }) },
      );

    it.each(Object.keys(absurdFiles))('lets the page go on: %s', async name => {
      const { outcome, longestMs } = await opened((absurdFiles[name] as () => Uint8Array)());
      expect(outcome).toBe(1);
      expect(longestMs).toBeLessThan(MAX_PAUSE_MS);
    });

    it('lets the page go on: authorities that have all signed each other', async () => {
      const { outcome, longestMs } = await opened(crossSignedMesh(8, 300));
      expect(outcome).toBe(300);
      expect(longestMs).toBeLessThan(MAX_PAUSE_MS);
    }, 30_000);

    it('gives up certificates that name each other, and ends when it is told to', async () => {
      const file = circle(320);
      const { outcome, longestMs } = await opened(file);
      expect(outcome).toBe('ERR_P12_TOO_EXPENSIVE');
      expect(longestMs).toBeLessThan(MAX_PAUSE_MS);
      const aborted = await opened(file, 100);
      expect(aborted.outcome).toBe('TimeoutError');
      expect(aborted.tookMs).toBeLessThan(100 + MAX_ABORT_MS);
    }, 60_000);
  },
);
