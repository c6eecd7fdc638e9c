import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { KeepAlive } from '../../../src/tunnel/socket/keep-alive.js';
import { openStream, openTunnel, polite, startScriptedRelay } from './support/scripted-relay.js';

function watch(options = { intervalMs: 15_000, timeoutMs: 30_000 }) {
  const seen = { bufferedAmount: 0, pings: 0, silent: 0 };
  const keepAlive = new KeepAlive(
    {
      get bufferedAmount() {
        return seen.bufferedAmount;
      },
      ping: () => seen.pings++,
      onSilent: () => seen.silent++,
    },
    options,
  );
  return { seen, keepAlive };
}

describe('a watch', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('asks after the interval, and gives up after the timeout', () => {
    const { seen, keepAlive } = watch();
    keepAlive.start();
    vi.advanceTimersByTime(14_999);
    expect(seen).toMatchObject({ pings: 0, silent: 0 });
    vi.advanceTimersByTime(1);
    expect(seen).toMatchObject({ pings: 1, silent: 0 });
    vi.advanceTimersByTime(29_999);
    expect(seen).toMatchObject({ pings: 1, silent: 0 });
    vi.advanceTimersByTime(60_000);
    expect(seen).toMatchObject({ pings: 1, silent: 1 });
  });

  test('takes bytes that leave for a sign of life', () => {
    const { seen, keepAlive } = watch();
    keepAlive.start();
    seen.bufferedAmount = 1_000_000;
    for (; seen.bufferedAmount > 0; seen.bufferedAmount -= 50_000) vi.advanceTimersByTime(10_000);
    expect(seen).toMatchObject({ silent: 0 });
    vi.advanceTimersByTime(60_000);
    expect(seen).toMatchObject({ silent: 1 });
  });

  test('asks for nothing before it starts, and after it has stopped', () => {
    const { seen, keepAlive } = watch();
    keepAlive.probe();
    vi.advanceTimersByTime(60_000);
    keepAlive.start();
    keepAlive.probe();
    keepAlive.stop();
    vi.advanceTimersByTime(60_000);
    expect(seen).toMatchObject({ pings: 1, silent: 0 });
  });

  test('that has reason to doubt asks at once, and waits for 5 seconds', () => {
    const { seen, keepAlive } = watch();
    keepAlive.start();
    keepAlive.probe();
    keepAlive.probe();
    expect(seen).toMatchObject({ pings: 1, silent: 0 });
    vi.advanceTimersByTime(4_999);
    expect(seen).toMatchObject({ silent: 0 });
    vi.advanceTimersByTime(1);
    expect(seen).toMatchObject({ pings: 1, silent: 1 });
  });

  test('is content with any answer to a doubt', () => {
    const { seen, keepAlive } = watch();
    keepAlive.start();
    keepAlive.probe();
    vi.advanceTimersByTime(4_000);
    keepAlive.alive();
    vi.advanceTimersByTime(14_000);
    expect(seen).toMatchObject({ pings: 1, silent: 0 });
  });
});

test('a socket that was idle for long is probed when it is used again', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const { url, pages } = await startScriptedRelay(polite);
  const tunnel = openTunnel(url, { keepAliveTimeoutMs: 1_000 });
  await expect.poll(() => pages[0]?.of('ping')).toHaveLength(1);
  vi.setSystemTime(Date.now() + 11_000);
  pages[0]?.webSocket.removeAllListeners('message');
  const { reader } = await openStream(tunnel);
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  await expect.poll(() => pages[0]?.closeCode).toBe(4000);
});

test.each([
  ['online', 'window'],
  ['pageshow', 'window'],
  ['resume', 'document'],
  ['visibilitychange', 'document'],
])('a page with streams probes its relay at the event %s', async (event, name) => {
  const target = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  vi.stubGlobal('document', name === 'document' ? target : { ...target, addEventListener() {} });
  vi.stubGlobal('window', name === 'window' ? target : undefined);
  onTestFinished(() => void vi.unstubAllGlobals());
  Object.assign(document, { removeEventListener() {}, visibilityState: 'hidden' });
  const { url, page } = await startScriptedRelay(polite);
  const { writer } = await openStream(openTunnel(url, { keepAliveTimeoutMs: 1_000 }));
  await expect.poll(() => page().of('ping')).toHaveLength(1);
  target.dispatchEvent(new Event(event));
  await writer.write(Uint8Array.of(1));
  await expect.poll(() => page().dataBytes()).toBe(1);
  expect(page().of('ping')).toHaveLength(1);
  Object.assign(document, { visibilityState: 'visible' });
  target.dispatchEvent(new Event(event));
  await expect.poll(() => page().of('ping')).toHaveLength(2);
  await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
});
