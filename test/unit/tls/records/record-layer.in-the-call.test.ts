import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Instance } from '../../../../src/engine/instance.js';
import { EngineCipher } from '../../../../src/tls/ciphers/engine-cipher.js';
import { RecordEngine } from '../../../../src/tls/ciphers/record-engine.js';
import { Algorithm } from '../../../../src/tls/ciphers/traffic-keys.js';
import type { Received, RecordLayer } from '../../../../src/tls/records/record-layer.js';
import { engineModule } from '../../../support/engine.js';
import { mirroredLayer } from './support/mirrored-layer.js';

let engine: RecordEngine;
let sent: Uint8Array[];

beforeAll(async () => {
  engine = new RecordEngine(await Instance.create(engineModule()));
});

function createLayer(algorithm: Algorithm): Promise<RecordLayer> {
  sent = [];
  return mirroredLayer(engine, algorithm, sent);
}

function receive(layer: RecordLayer, ciphertext: Uint8Array): Promise<Received> | Received {
  return layer.receive(layer.begin(ciphertext));
}

const dataOf = ({ plaintext }: Received) => [...Buffer.concat(plaintext)];

describe.each([
  ['AES-GCM', Algorithm.aesGcm],
  ['ChaCha20-Poly1305', Algorithm.chacha20Poly1305],
])('small records of %s', (_, algorithm) => {
  it('are there in the call, one or several, in any portions', async () => {
    const layer = await createLayer(algorithm);
    for (const byte of [1, 2, 3, 4]) await layer.sender.send(Uint8Array.of(byte));
    const [first, second, ...rest] = sent as [Uint8Array, Uint8Array, ...Uint8Array[]];
    expect(dataOf(receive(layer, first) as Received)).toEqual([1]);
    const incomplete = receive(layer, second.subarray(0, 9));
    expect(incomplete).toEqual({ plaintext: [], passedBytes: 0, closed: false });
    const joined = Buffer.concat([second.subarray(9), ...rest]);
    expect(dataOf(receive(layer, joined) as Received)).toEqual([2, 3, 4]);
  });

  it('come in order with large ones, and with the end behind them', async () => {
    const layer = await createLayer(algorithm);
    const contents = [10, 9000, 20, 16_384, 30].map((length, at) => new Uint8Array(length).fill(at));
    for (const content of contents) await layer.sender.send(content);
    await layer.sender.sendClose();
    const received = await receive(layer, Buffer.concat(sent));
    expect(received.failure).toBeUndefined();
    expect(received.closed).toBe(true);
    expect(Buffer.concat(received.plaintext).equals(Buffer.concat(contents))).toBe(true);
  });

  it('are not opened behind the end', async () => {
    const layer = await createLayer(algorithm);
    await layer.sender.send(Uint8Array.of(1));
    await layer.sender.sendClose();
    const [first, end] = sent as [Uint8Array, Uint8Array];
    const open = vi.spyOn(EngineCipher.prototype, 'open');
    const received = await receive(layer, Buffer.concat([first, end, first, first]));
    expect(received).toMatchObject({ closed: true, plaintext: [Uint8Array.of(1)] });
    expect(received.failure).toBeUndefined();
    expect(open.mock.calls.length).toBeLessThanOrEqual(1);
    open.mockRestore();
  });

  it('are delivered before one that is forged, which is the end', async () => {
    const layer = await createLayer(algorithm);
    for (const byte of [1, 2, 3]) await layer.sender.send(Uint8Array.of(byte));
    const [first, second, third] = sent as [Uint8Array, Uint8Array, Uint8Array];
    const forged = second.with(-1, (second.at(-1) ?? 0) ^ 1);
    const received = await receive(layer, Buffer.concat([first, forged, third]));
    expect(dataOf(received)).toEqual([1]);
    expect(received.failure).toBeDefined();
  });

  it('fail in the promise, where the engine itself does', async () => {
    const layer = await createLayer(algorithm);
    await layer.sender.send(Uint8Array.of(1));
    const [record] = sent as [Uint8Array];
    layer.free();
    const received = await receive(layer, record);
    expect(received.broken).toBeDefined();
  });
});
