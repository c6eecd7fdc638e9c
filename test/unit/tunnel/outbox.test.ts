import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Outbox, type Sender } from '../../../src/tunnel/socket/outbox.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const MESSAGE_BYTES = 256 * KIB;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A WebSocket over a network of this rate, and a stream that always has something to send. */
function busyOutbox(bytesPerMs: number) {
  let [sentBytes, mostBuffered] = [0, 0];
  const startMs = performance.now();
  let leftBytes = 0;
  const wire = {
    extensions: '',
    get bufferedAmount() {
      leftBytes = Math.min(sentBytes, bytesPerMs * (performance.now() - startMs));
      return sentBytes - leftBytes;
    },
    send(message: Uint8Array) {
      sentBytes += message.length;
      mostBuffered = Math.max(mostBuffered, wire.bufferedAmount);
    },
  };
  const sender: Sender = { nextMessage: () => new Uint8Array(MESSAGE_BYTES), onSent() {} };
  const outbox = new Outbox(wire, () => {});
  outbox.grant(60 * MIB);
  outbox.add(sender);
  return { outbox, passed: () => sentBytes - wire.bufferedAmount, most: () => mostBuffered };
}

test('a fast network never waits for the outbox to look again', () => {
  const { passed, most } = busyOutbox(250 * KIB);
  vi.advanceTimersByTime(200);
  // All that the network could take, but for the first milliseconds.
  expect(passed()).toBeGreaterThan(0.9 * 200 * 250 * KIB);
  expect(most()).toBeLessThanOrEqual(4 * MIB + MESSAGE_BYTES);
});

test('no more than half a MiB waits for a slow network', () => {
  const { passed, most } = busyOutbox(KIB);
  vi.advanceTimersByTime(4_000);
  expect(passed()).toBeGreaterThan(0.9 * 4_000 * KIB);
  expect(most()).toBeLessThanOrEqual(512 * KIB + MESSAGE_BYTES);
});
