import { beforeEach, expect, it } from 'vitest';
import { HttpFailureKind, HttpFault } from '../../../../src/engine/abi.js';
import { Exchange, type ExchangeHost } from '../../../../src/http/connection/exchange.js';
import type { HttpEngine } from '../../../../src/http/http-engine.js';
import { SpareMemory } from '../../../../src/tls/ciphers/spare-memory.js';

const LENGTH = 200_000;
const host: ExchangeHost = {
  ...{ protocol: 'h2', error: undefined, headFault: undefined },
  ...{ close() {}, forPage: head => head, onExchangeOver() {} },
};
const engine = { begin: () => 1, pull() {}, forget() {}, cancel() {} } as unknown as HttpEngine;

let exchange: Exchange;

/** A response, the last bytes of which wait for the next message. */
beforeEach(() => {
  exchange = new Exchange(engine, host, {});
  const url = new URL('https://a.test/');
  exchange.begin(1, { method: 'GET', url, headers: [] });
  exchange.onHead({ status: 200, statusText: '', headers: [] });
  const spare = new SpareMemory(new Uint8Array(LENGTH + 1));
  spare.isFree = true;
  const emitted: Uint8Array<ArrayBuffer>[] = [];
  for (let left = LENGTH; left > 0; left -= emitted.at(-1)?.length ?? 0)
    emitted.push(exchange.place(left, spare) ?? new Uint8Array(left));
  expect(emitted).toHaveLength(2);
  for (const bytes of emitted) exchange.onData(bytes);
});

it('ends behind what is held back of its body', async () => {
  exchange.onEnd([]);
  expect((await new Response(exchange.body).arrayBuffer()).byteLength).toBe(LENGTH);
});

it('fails behind what is held back of its body', async () => {
  exchange.onFailed({ kind: HttpFailureKind.incomplete, code: 0, fault: HttpFault.none, message: '' });
  const reader = exchange.body.getReader();
  const lengths: (number | undefined)[] = [];
  for (let bytes = 0; bytes < LENGTH; bytes += lengths.at(-1) ?? LENGTH)
    lengths.push((await reader.read()).value?.length);
  expect(lengths).toEqual([LENGTH - 32 * 1024, 32 * 1024]);
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_HTTP_TRUNCATED' });
});

it('gives nothing more of its body once it is cancelled', async () => {
  const reason = new Error('enough');
  exchange.cancel(reason);
  await new Promise(resolve => setTimeout(resolve, 20));
  await expect(exchange.body.getReader().read()).rejects.toBe(reason);
});
