import { expect, it } from 'vitest';
import { KeptInstances } from '../../../src/engine/kept-instances.js';
import { engineModule } from '../../support/engine.js';

const MIB = 1 << 20;

it('keeps an instance, and replaces one that has trapped', async () => {
  const instances = new KeptInstances();
  const first = await instances.get(engineModule());
  expect(await instances.get(engineModule())).toBe(first);
  expect(() => first.call('mtls_alloc', [0x7fffffff])).toThrow();
  const second = await instances.get(engineModule());
  expect(second).not.toBe(first);
  expect(second.call('mtls_alloc', [8]).status).toBeGreaterThan(0);
});

it('replaces one whose memory has grown large', async () => {
  const instances = new KeptInstances();
  const first = await instances.get(engineModule());
  first.call('mtls_reserve', [2 * MIB]);
  expect(await instances.get(engineModule())).toBe(first);
  first.call('mtls_reserve', [16 * MIB]);
  expect(await instances.get(engineModule())).not.toBe(first);
});

it('forgets a module that cannot be started', async () => {
  const instances = new KeptInstances();
  const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  for (const _ of [1, 2])
    await expect(instances.get(module)).rejects.toMatchObject({ code: 'ERR_ENGINE_LOAD' });
});
