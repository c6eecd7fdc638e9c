import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

it('asks for the engine first, and opens the WebSocket meanwhile', async () => {
  const begun: string[] = [];
  vi.stubGlobal('fetch', async () => {
    begun.push('engine');
    throw new TypeError('offline');
  });
  class Unopened extends EventTarget {
    constructor() {
      super();
      begun.push('WebSocket');
    }
    close() {}
  }
  // The package keeps the platform's own fetch.
  vi.resetModules();
  const { createClient } = await import('../../../src/client/create-client.js');
  const client = createClient({
    tunnel: 'wss://relay.example',
    engine: 'https://page.example/engine.wasm',
    tunnelOptions: { WebSocket: Unopened as unknown as typeof WebSocket },
  });
  await expect(client).rejects.toMatchObject({ code: 'ERR_ENGINE_LOAD' });
  expect(begun).toEqual(['engine', 'WebSocket']);
});

it('tells a wrong option, whatever becomes of the engine', async () => {
  const { createClient } = await import('../../../src/client/create-client.js');
  const engine = new Response('not found', { status: 404 });
  const pool = { idleTimeoutMs: -1 };
  await expect(createClient({ tunnel: 'wss://relay.example', engine, pool })).rejects.toThrow(
    '"pool.idleTimeoutMs"',
  );
});
