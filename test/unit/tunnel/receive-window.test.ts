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

test('the sender to a reader that has taken all has a large window but for a MiB', () => {
  const window = windowOf(16 * MIB, 50);
  let left = window.windowBytes;
  for (let pieces = 0; pieces < 1_000; pieces++) {
    window.receive(PIECE_BYTES);
    left += window.consume(PIECE_BYTES) - PIECE_BYTES;
    expect(left).toBeGreaterThan(15 * MIB);
  }
});

test('a further window begins with what the first has needed, and leaves most of what is left to others', () => {
  const path = { roundTripMs: 50, bytesPerMs: 4 * MIB };
  const budget = new GrowthBudget(32 * MIB);
  const options = { budget, initialBytes: MIB, roundTripMs: () => path.roundTripMs };
  const [first, second, third] = [0, 1, 2].map(() => new ReceiveWindow(options));
  expect(first?.growAhead()).toBe(0);
  transfer(first as ReceiveWindow, 4 * MIB, path);
  expect(first?.windowBytes).toBe(4 * MIB);
  expect(second?.growAhead()).toBe(3 * MIB);
  expect(third?.growAhead()).toBe(3 * MIB);
  transfer(first as ReceiveWindow, 16 * MIB, path);
  expect(first?.windowBytes).toBe(16 * MIB);
  const fourth = new ReceiveWindow(options);
  expect(fourth.growAhead()).toBe(Math.floor(((32 - 15 - 6) / 6) * MIB));
  // The sender may use it at once.
  expect(fourth.receive(fourth.windowBytes)).toBe(true);
  fourth.release();
  expect(new ReceiveWindow(options).growAhead()).toBe(Math.floor(((32 - 15 - 6) / 6) * MIB));
});

test('a window takes what is left of the budget', () => {
  const path = { roundTripMs: 50, bytesPerMs: 4 * MIB };
  const budget = new GrowthBudget(5 * MIB);
  const window = new ReceiveWindow({ budget, initialBytes: MIB, roundTripMs: () => path.roundTripMs });
  transfer(window, 32 * MIB, path);
  expect(window.windowBytes).toBe(6 * MIB);
});

test('a window that holds its sender up becomes as large as another one of the socket has needed', () => {
  const path = { roundTripMs: 50, bytesPerMs: 4 * MIB };
  const options = { budget: new GrowthBudget(32 * MIB), roundTripMs: () => path.roundTripMs };
  const first = new ReceiveWindow({ ...options, initialBytes: MIB });
  transfer(first, 21 * MIB, path);
  expect(first.windowBytes).toBe(16 * MIB);
  const second = new ReceiveWindow({ ...options, initialBytes: MIB });
  // 1 MiB, and 16 MiB.
  expect(transfer(second, 16 * MIB, path).roundTrips).toBeLessThan(1.2);
  expect(second.windowBytes).toBe(16 * MIB);
});
