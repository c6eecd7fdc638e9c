import { describe, expect, it } from 'vitest';
import { readPoolOptions } from '../../../../src/http/pool/pool-options.js';
import { createClient } from '../../../../src/index.js';

describe('the options', () => {
  it('have defaults, and are checked', async () => {
    expect(readPoolOptions()).toEqual({
      idleTimeoutMs: 60_000,
      maxConnectionsPerOrigin: 6,
      pingIntervalMs: 15_000,
      pingTimeoutMs: 10_000,
      reconnectAttempts: 4,
    });
    expect(readPoolOptions({ pingIntervalMs: 0 }).pingIntervalMs).toBe(0);
    for (const wrong of [
      { idleTimeoutMs: -1 },
      { maxConnectionsPerOrigin: 0 },
      { pingIntervalMs: 10 },
      { pingTimeoutMs: Number.NaN },
      { reconnectAttempts: 1.5 },
    ]) {
      expect(() => readPoolOptions(wrong)).toThrow(TypeError);
      const made = createClient({ tunnel: 'ws://127.0.0.1/', pool: wrong });
      await expect(made).rejects.toThrow(TypeError);
    }
  });
});
