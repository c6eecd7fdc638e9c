import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GrowthBudget, ReceiveWindow } from '../../../src/tunnel/wire/receive-window.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const PIECE_BYTES = 64 * KIB;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Round trips that a sender needs for so many bytes over a path of `roundTripMs`, which carries `bytesPerMs`. */
function transfer(window: ReceiveWindow, bytes: number, path: { roundTripMs: number; bytesPerMs: number }) {
  const startMs = performance.now();
  /** When credit reaches the sender, and how much. */
  const grants = [{ atMs: startMs, bytes: window.windowBytes }];
  let credits = 0;
  for (let left = bytes, credit = 0; left > 0; ) {
    for (; credit < PIECE_BYTES; credit += grants.shift()?.bytes ?? 0) {
      const waitMs = (grants[0]?.atMs ?? Number.NaN) - performance.now();
      if (waitMs > 0) vi.advanceTimersByTime(waitMs);
    }
    credit -= PIECE_BYTES;
    left -= PIECE_BYTES;
    vi.advanceTimersByTime(PIECE_BYTES / path.bytesPerMs);
    expect(window.receive(PIECE_BYTES)).toBe(true);
    const granted = window.consume(PIECE_BYTES);
    if (granted > 0) {
      credits++;
      grants.push({ atMs: performance.now() + path.roundTripMs, bytes: granted });
    }
  }
  return { roundTrips: (performance.now() - startMs) / path.roundTripMs, credits };
}

function windowOf(initialBytes: number, roundTripMs: number): ReceiveWindow {
  const budget = new GrowthBudget(32 * MIB);
  return new ReceiveWindow({ initialBytes, budget, roundTripMs: () => roundTripMs });
}

test('a window grows fourfold in each round trip that it holds its sender up', () => {
  const path = { roundTripMs: 50, bytesPerMs: 64 * KIB * 64 };
  const window = windowOf(512 * KIB, path.roundTripMs);
  // 0.5, 2, 8 and 16 MiB.
  expect(transfer(window, 26 * MIB, path).roundTrips).toBeLessThan(4);
  expect(window.windowBytes).toBe(16 * MIB);
});

test('a window stays below six times what the path carries in a round trip', () => {
  for (const mibPerSecond of [4, 10, 20, 40, 80]) {
    const path = { roundTripMs: 50, bytesPerMs: (mibPerSecond * MIB) / 1000 };
    const window = windowOf(256 * KIB, path.roundTripMs);
    transfer(window, 64 * MIB, path);
    expect(window.windowBytes).toBeLessThanOrEqual(
      Math.max(256 * KIB, 6 * path.bytesPerMs * path.roundTripMs),
    );
  }
});

test('a fast reader on a short path gives credit about once for each MiB', () => {
  const path = { roundTripMs: 1, bytesPerMs: 200 * KIB };
  const options = { initialBytes: MIB, budget: new GrowthBudget(32 * MIB), shortestMs: 20 };
  const window = new ReceiveWindow({ ...options, roundTripMs: () => path.roundTripMs });
  expect(transfer(window, 100 * MIB, path).credits).toBeLessThan(110);
});
