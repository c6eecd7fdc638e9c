import { expect, it } from 'vitest';
import { ReadAheadStream } from '../../../src/client/read-ahead-stream.js';
import { type Deferred, deferred } from '../../../src/util/promises.js';

it('reads that pass do not overtake one that was begun ahead', async () => {
  const reads: Deferred<ReadableStreamReadResult<Uint8Array>>[] = [];
  const read = () => {
    const next = deferred<ReadableStreamReadResult<Uint8Array>>();
    reads.push(next);
    return next.promise;
  };
  const stream = new ReadAheadStream({
    readable: new ReadableStream(),
    writable: new WritableStream(),
    read,
  });
  stream.readAhead()();
  stream.pass();
  const order: number[] = [];
  const taken = [1, 2, 3].map(number => stream.read().then(() => order.push(number)));
  for (const next of reads) next.resolve({ done: false, value: new Uint8Array(1) });
  await Promise.all(taken);
  expect(order).toEqual([1, 2, 3]);
});
