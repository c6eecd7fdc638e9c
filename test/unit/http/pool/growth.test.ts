import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Growth } from '../../../../src/http/pool/growth.js';

const [first, second] = [{}, {}];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Answers to requests one after the other, after so many milliseconds each. */
function answered(times: number, ms: number): Growth {
  const growth = new Growth();
  for (let i = 0; i < times; i++) {
    growth.begin(first);
    vi.advanceTimersByTime(ms);
    growth.end(first);
  }
  return growth;
}

describe('an origin of HTTP/1.1', () => {
  it('waits for the first answer before it makes more connections, but not for long', () => {
    const growth = new Growth();
    growth.begin(first);
    expect(growth.wanted(49, 1)).toBe(0);
    vi.advanceTimersByTime(20);
    expect(growth.wanted(49, 1)).toBe(49);
  });

  it('makes all connections at once where the first handshake took long', () => {
    const growth = new Growth();
    growth.noteHandshake(45);
    growth.begin(first);
    expect(growth.wanted(5, 1)).toBe(5);
  });

  it('serves by one connection what takes less time than a handshake', () => {
    const growth = answered(10, 1);
    growth.begin(first);
    expect(growth.wanted(49, 1)).toBe(0);
    expect(growth.wanted(350, 1)).toBe(3);
  });

  it('makes as many connections as there are requests where answers take long', () => {
    const growth = answered(10, 10);
    growth.begin(first);
    expect(growth.wanted(5, 1)).toBe(5);
    expect(growth.wanted(49, 1)).toBe(49);
  });

  it('makes one connection at least, and more at once where answers take long', () => {
    expect(answered(10, 1).wanted(50, 0)).toBe(1);
    expect(answered(10, 100).wanted(6, 0)).toBe(6);
    expect(new Growth().wanted(6, 0)).toBe(6);
  });

  it('does not count on a connection whose answer takes longer than usual', () => {
    const growth = answered(10, 1);
    growth.begin(first);
    vi.advanceTimersByTime(20);
    expect(growth.wanted(1, 1)).toBe(1);
    growth.begin(second);
    expect(growth.wanted(1, 2)).toBe(0);
  });

  it('forgets one long answer after a few others', () => {
    const growth = answered(10, 1);
    growth.begin(first);
    vi.advanceTimersByTime(30_000);
    growth.end(first);
    for (let i = 0; i < 10; i++) {
      growth.begin(first);
      vi.advanceTimersByTime(1);
      growth.end(first);
    }
    growth.begin(first);
    expect(growth.wanted(20, 1)).toBe(0);
  });

  it('is looked at again when those that are waited for have not answered', () => {
    const growth = new Growth();
    const look = vi.fn();
    growth.later(look);
    growth.later(look);
    vi.advanceTimersByTime(20);
    expect(look).toHaveBeenCalledOnce();
  });
});
