import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Instance } from '../../../../src/engine/instance.js';
import { RecordEngine } from '../../../../src/tls/ciphers/record-engine.js';
import { Algorithm } from '../../../../src/tls/ciphers/traffic-keys.js';
import type { RecordLayer } from '../../../../src/tls/records/record-layer.js';
import { engineModule } from '../../../support/engine.js';
import { mirroredLayer } from './support/mirrored-layer.js';

const FULL = 16_384;

let engine: RecordEngine;
let sent: Uint8Array[];
let layer: RecordLayer;

beforeAll(async () => {
  engine = new RecordEngine(await Instance.create(engineModule()));
});

afterEach(() => void vi.restoreAllMocks());

function createLayer(algorithm: Algorithm = Algorithm.aesGcm): Promise<RecordLayer> {
  sent = [];
  return mirroredLayer(engine, algorithm, sent);
}

const send = (content: Uint8Array) =>
  layer.sender.sendOutput({ target: undefined, take: use => use([content]) });

/** What the other side opens of all that was sent. */
async function opened(): Promise<{ data: Buffer; closed: boolean; failure: unknown }> {
  const bytes = Buffer.concat(sent);
  const { plaintext, closed, failure } = await layer.receive(layer.begin(bytes));
  return { data: Buffer.concat(plaintext), closed, failure };
}

/** Earlier calls take longer. */
function sealBackwards(): void {
  const { encrypt } = crypto.subtle;
  let delayMs = 40;
  vi.spyOn(crypto.subtle, 'encrypt').mockImplementation(async (...args) => {
    const sealed = encrypt.apply(crypto.subtle, args);
    delayMs -= 5;
    await new Promise(resolve => setTimeout(resolve, Math.max(0, delayMs)));
    return sealed;
  });
}

it('output that is sealed at the same time leaves in its order, with what comes behind it', async () => {
  layer = await createLayer();
  sealBackwards();
  const contents = [2 * FULL, 100, 5_000, 10, FULL + 1].map((length, i) => new Uint8Array(length).fill(i));
  const sends = contents.map(send);
  const closing = layer.sender.sendClose();
  expect(sent).toEqual([]);
  await Promise.all([...sends, closing]);
  expect(sent).toHaveLength(contents.length + 1);
  const { data, closed, failure } = await opened();
  expect(failure).toBeUndefined();
  expect(data.equals(Buffer.concat(contents))).toBe(true);
  expect(closed).toBe(true);
});

it.each([Algorithm.aesGcm, Algorithm.chacha20Poly1305])(
  'small output leaves in the call, where nothing is in the way (%d)',
  async algorithm => {
    layer = await createLayer(algorithm);
    for (let count = 1; count <= 3; count++) {
      expect(send(Uint8Array.of(count))).toBeUndefined();
      expect(sent).toHaveLength(count);
    }
    expect((await opened()).data.equals(Buffer.of(1, 2, 3))).toBe(true);
  },
);

it('nothing follows output that cannot be sealed', async () => {
  layer = await createLayer();
  vi.spyOn(crypto.subtle, 'encrypt').mockRejectedValueOnce(new Error('no room'));
  const outcomes = await Promise.allSettled([FULL, 10, FULL].map(length => send(new Uint8Array(length))));
  expect(outcomes.map(it => it.status)).toEqual(['rejected', 'rejected', 'rejected']);
  await expect(send(new Uint8Array(10))).rejects.toThrow('no room');
  await expect(layer.sender.sendClose()).rejects.toThrow('no room');
  expect(sent).toEqual([]);
});
