import { randomBytes, randomInt } from 'node:crypto';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { BodyChunks } from '../../../../src/http/body/body-chunks.js';
import { SpareMemory } from '../../../../src/tls/ciphers/spare-memory.js';

/** What is in a message beside the body: tags and headers of its records. */
const OVERHEAD_BYTES = 313;
const body = Uint8Array.from(randomBytes(4_000_000));

let chunks: BodyChunks;
let given: Uint8Array[];
let at: number;

beforeEach(() => {
  chunks = new BodyChunks(() => given.push(...chunks.rest()));
  [given, at] = [[], 0];
});

/** The next bytes of the body come in a message, as the engine emits them. Returns the message's memory. */
function receive(length: number, messageBytes = length + OVERHEAD_BYTES): ArrayBuffer {
  const memory = new ArrayBuffer(messageBytes);
  const spare = new SpareMemory(new Uint8Array(memory));
  spare.isFree = true;
  const emitted: Uint8Array<ArrayBuffer>[] = [];
  for (let left = length; left > 0; ) {
    const bytes = chunks.place(left, spare) ?? new Uint8Array(left);
    bytes.set(body.subarray(at, at + bytes.length));
    emitted.push(bytes);
    [at, left] = [at + bytes.length, left - bytes.length];
  }
  for (const bytes of emitted) given.push(...chunks.take(bytes));
  return memory;
}

function isBody(): boolean {
  return Buffer.concat(given).equals(body.subarray(0, at));
}

it('a chunk is the whole memory of the message that it came in, once another message came before it', () => {
  const [, ...memories] = [200_000, 200_000, 150_000, 230_000].map(length => receive(length));
  given.push(...chunks.rest());
  expect(isBody()).toBe(true);
  expect(given.slice(1, 4).map(({ buffer }, index) => buffer === memories[index])).toEqual([
    true,
    true,
    true,
  ]);
});

it('every chunk fills memory of its own, whatever lengths messages have', () => {
  while (at < 3_500_000) {
    const length = randomInt(1, 300_000);
    receive(length, randomInt(4) === 0 ? length + randomInt(300_000) : undefined);
  }
  given.push(...chunks.rest());
  expect(isBody()).toBe(true);
  expect(given.every(({ buffer, length }) => buffer.byteLength === length)).toBe(true);
  expect(new Set(given.map(({ buffer }) => buffer)).size).toBe(given.length);
});

it('what is held back may fill a message of its own', () => {
  receive(300_000, 180_000);
  const memory = receive(70_000);
  receive(200_000);
  given.push(...chunks.rest());
  expect(isBody()).toBe(true);
  expect(given[1]?.buffer).toBe(memory);
});

it('less than 64 KiB passes at once, behind what is held back', () => {
  receive(60_000);
  expect(given.map(({ length }) => length)).toEqual([60_000]);
  receive(200_000);
  receive(60_000);
  expect(isBody()).toBe(true);
});

it('what is held back follows after a pause of a few milliseconds', async () => {
  receive(200_000);
  expect(given.map(({ length }) => length)).toEqual([200_000 - 32 * 1024]);
  await vi.waitFor(() => expect(given).toHaveLength(2));
  expect(isBody()).toBe(true);
});

it('in a hidden page, whose timers come late, it follows in the next task', async () => {
  vi.stubGlobal('document', { visibilityState: 'hidden' });
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  receive(200_000);
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)));
  expect(isBody()).toBe(true);
});
