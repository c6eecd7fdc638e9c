import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadEngine } from '../../../src/engine/load.js';

const bytes = new Uint8Array(readFileSync(new URL('../../../wasm/browser-mtls.wasm', import.meta.url)));
const answer = (content: BodyInit, type: string, status = 200) =>
  new Response(content, { status, headers: { 'content-type': type } });

it.each([
  ['application/wasm', 'as it is received'],
  ['Application/WASM', 'from its bytes'],
  ['application/octet-stream', 'from its bytes'],
  ['application/wasm; charset=utf-8', 'from its bytes'],
])('compiles a response of the type %j, %s', async type => {
  const module = await loadEngine(answer(bytes, type));
  expect(WebAssembly.Module.exports(module).map(({ name }) => name)).toContain('mtls_abi_version');
});

it.each(['application/wasm', 'text/plain'])('says that a response of %s is no engine', async type => {
  const failed = { name: 'MtlsError', code: 'ERR_ENGINE_LOAD' };
  await expect(loadEngine(answer(bytes.slice(0, 1000), type))).rejects.toMatchObject(failed);
  await expect(loadEngine(answer('not found', type, 404))).rejects.toMatchObject({
    ...failed,
    message: expect.stringContaining('answered 404'),
  });
  const cut = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(bytes.slice(0, 1000));
      controller.error(new Error('the network'));
    },
  });
  await expect(loadEngine(answer(cut, type))).rejects.toMatchObject(failed);
});
