import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { engineModule } from '../../support/engine.js';

const dryRun = vi.fn(async () => []);
let idle: (() => void)[];

beforeEach(() => {
  idle = [];
  vi.useFakeTimers();
  vi.stubGlobal('requestIdleCallback', (run: () => void) => idle.push(run));
  vi.doMock('../../../src/client/dry-run.js', () => ({ dryRun }));
  // Each test is a page.
  vi.resetModules();
  dryRun.mockClear();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.doUnmock('../../../src/client/dry-run.js');
});

async function pageIsIdle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1_000);
  for (const run of idle.splice(0)) run();
  await vi.dynamicImportSettled();
}

it('runs once in a page, when it is idle', async () => {
  const { WarmUp } = await import('../../../src/client/warm-up.js');
  const first = new WarmUp(engineModule());
  new WarmUp(engineModule());
  for (const run of idle) run();
  expect(dryRun).not.toHaveBeenCalled();
  await pageIsIdle();
  expect(dryRun).toHaveBeenCalledTimes(1);
  new WarmUp(engineModule());
  await pageIsIdle();
  expect(dryRun).toHaveBeenCalledTimes(1);
  const [, , signal] = dryRun.mock.calls[0] as unknown as [unknown, unknown, AbortSignal];
  expect(signal.aborted).toBe(false);
  first.stop();
  expect(signal.aborted).toBe(true);
});

it('does not run once something is asked for', async () => {
  const { WarmUp } = await import('../../../src/client/warm-up.js');
  new WarmUp(engineModule()).stop();
  await pageIsIdle();
  expect(dryRun).not.toHaveBeenCalled();
});

it('does not run where nobody knows of idle times', async () => {
  vi.stubGlobal('requestIdleCallback', undefined);
  const { WarmUp } = await import('../../../src/client/warm-up.js');
  new WarmUp(engineModule());
  expect(vi.getTimerCount()).toBe(0);
});

it.each(['DedicatedWorkerGlobalScope', 'SharedWorkerGlobalScope'])(
  'runs in a %s after a while',
  async scope => {
    vi.stubGlobal('requestIdleCallback', undefined);
    vi.stubGlobal(scope, class {});
    const { WarmUp } = await import('../../../src/client/warm-up.js');
    new WarmUp(engineModule());
    expect(dryRun).not.toHaveBeenCalled();
    await pageIsIdle();
    expect(dryRun).toHaveBeenCalledTimes(1);
  },
);
