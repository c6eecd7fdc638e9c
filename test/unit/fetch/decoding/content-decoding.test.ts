import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, constants } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { acceptedCodings, decodeContent } from '../../../../src/fetch/decoding/content-decoding.js';
import { Decoders, decoderPart } from '../../../../src/fetch/decoding/decoders.js';
import { readAll } from '../../../../src/http/body/read-all.js';
import type { RawResponse } from '../../../../src/http/raw-response.js';
import { encoders, zerosIn, zstd } from '../../../support/codings.js';
import { serve } from '../../http/support/servers.js';

const MIB = 1 << 20;
const MOST_GROWTH_BYTES = 64 * MIB;
const SKIPPABLE = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const text = Buffer.from('some text that repeats itself, some text. '.repeat(20));
const decoders = new Decoders();
const codings = Object.entries(encoders).map(
  ([name, encode]) => [name, { coding: name.replace('raw ', ''), encode }] as const,
);

/** The decoded stream of a body that comes in these pieces, one for each read. */
function decode(coding: string, pieces: Iterable<Uint8Array>, by = decoders): ReadableStream<Uint8Array> {
  const source = pieces[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = source.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
  const head = { status: 200, headers: [['content-encoding', coding]] };
  return decodeContent({ head, body } as unknown as RawResponse, by).body;
}

const bytesOf = async (coding: string, ...pieces: Uint8Array[]) =>
  Buffer.from(await readAll(decode(coding, pieces)));

/** What reading comes to: the bytes, or the error's name and code. */
async function outcomeOf(coding: string, ...pieces: Uint8Array[]): Promise<Buffer | string> {
  try {
    return await bytesOf(coding, ...pieces);
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    return `${name} ${code}`;
  }
}

const DAMAGED = 'TypeError ERR_HTTP_DECODING';

describe.each(codings)('%s', (name, { coding, encode }) => {
  test.each([
    ['a byte', Buffer.of(7)],
    ['a text', text],
    ['random bytes', randomBytes(300_000)],
    ['what repeats itself far away', Buffer.concat([text, randomBytes(3 * MIB), text])],
    ['many zeros', Buffer.alloc(5 * MIB)],
    ['nothing, encoded', Buffer.alloc(0)],
  ])('%s', async (_what, bytes) => {
    expect((await bytesOf(coding, encode(bytes))).equals(bytes)).toBe(true);
  });

  test('byte by byte, and with empty pieces between', async () => {
    const pieces = [...encode(text)].flatMap(byte => [Uint8Array.of(byte), new Uint8Array(0)]);
    expect(await bytesOf(coding, ...pieces)).toEqual(text);
  });

  test('an empty body is empty', async () => {
    expect(await bytesOf(coding)).toHaveLength(0);
  });

  test('cut short anywhere, it is an error', async () => {
    const whole = encode(text);
    for (let length = 1; length < whole.length; length++)
      expect([length, await outcomeOf(coding, whole.subarray(0, length))]).toEqual([length, DAMAGED]);
  });

  test.each([
    ['a zero', Buffer.of(0)],
    ['a text', Buffer.from('junk that is longer than a header')],
  ])('%s behind its end is an error', async (_what, junk) => {
    const whole = encode(text);
    expect(await outcomeOf(coding, Buffer.concat([whole, junk]))).toBe(DAMAGED);
    expect(await outcomeOf(coding, whole, junk)).toBe(DAMAGED);
  });

  test('changed, it is an error or the same, where there is a checksum', async () => {
    const whole = encode(text);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ change;
        const outcome = await outcomeOf(coding, changed);
        if (typeof outcome === 'string') expect(outcome).toBe(DAMAGED);
        else if (!['br', 'raw deflate'].includes(name)) expect(outcome).toEqual(text);
      }),
      { numRuns: 200 },
    );
  });

  test('what is no such body is an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 40, maxLength: 400 }), async bytes => {
        const outcome = await outcomeOf(coding, bytes);
        if (typeof outcome === 'string') expect(outcome).toBe(DAMAGED);
      }),
      { numRuns: 200 },
    );
  });

  test('a reader that stops in 1 GiB holds no more than the windows', { timeout: 120_000 }, async () => {
    const zeros = zerosIn(coding);
    const before = process.memoryUsage.rss();
    const reader = decode(coding, [zeros]).getReader();
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
    await delay(500);
    expect(process.memoryUsage.rss() - before).toBeLessThan(MOST_GROWTH_BYTES);
    let bytes = 0;
    while (bytes < 100 * MIB) bytes += (await reader.read()).value?.length ?? Number.NaN;
    expect(process.memoryUsage.rss() - before).toBeLessThan(2 * MOST_GROWTH_BYTES);
    await reader.cancel();
  });
});

describe('gzip', () => {
  test('of several members, and with every part that a header can have', async () => {
    const member = encoders.gzip(text);
    expect(await bytesOf('gzip', Buffer.concat([member, member]))).toEqual(Buffer.concat([text, text]));
    const optional = Buffer.concat([
      Buffer.of(3, 0, 1, 2, 3),
      Buffer.from('name\0comment\0'),
      Buffer.of(9, 9),
    ]);
    const full = Buffer.concat([member.subarray(0, 10), optional, member.subarray(10)]);
    full[3] = 0x1e;
    expect(await bytesOf('gzip', full)).toEqual(text);
    expect(await bytesOf('gzip', ...[...full].map(byte => Uint8Array.of(byte)))).toEqual(text);
    full[3] = 0x3e;
    expect(await outcomeOf('gzip', full)).toBe(DAMAGED);
  });
});

describe('zstd', () => {
  test.each([
    ['level 1', ['-1']],
    ['without a checksum', ['--no-check']],
    ['with a window of 8 MiB', ['--long=23']],
  ])('%s', async (_what, args) => {
    const bytes = Buffer.concat([text, randomBytes(9 * MIB), text]);
    expect((await bytesOf('zstd', zstd(bytes, args))).equals(bytes)).toBe(true);
  });

  test('level 19', async () => {
    const bytes = Buffer.concat([text, randomBytes(1000), text]);
    expect(await bytesOf('zstd', zstd(bytes, ['-19']))).toEqual(bytes);
  });

  test('several frames, and skippable ones before, between and after them', async () => {
    const frame = zstd(text);
    const body = Buffer.concat([SKIPPABLE, frame, SKIPPABLE, SKIPPABLE, frame, SKIPPABLE]);
    const twice = Buffer.concat([text, text]);
    expect(await bytesOf('zstd', body)).toEqual(twice);
    expect(await bytesOf('zstd', ...[...body].map(byte => Uint8Array.of(byte)))).toEqual(twice);
    expect(await bytesOf('zstd', SKIPPABLE)).toHaveLength(0);
    expect(await outcomeOf('zstd', body.subarray(0, -1))).toBe(DAMAGED);
  });

  test('a window beyond 8 MiB is refused', async () => {
    const body = zstd(Buffer.alloc(20 * MIB), ['--long=24']);
    expect(await outcomeOf('zstd', body)).toBe(DAMAGED);
  });

  test('a dictionary that nobody has is refused', async () => {
    const named = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x58, 7, 1, 0, 0]);
    expect(await outcomeOf('zstd', named)).toBe(DAMAGED);
  });

  test('what has come is given before the frame ends', async () => {
    const block = Buffer.concat([Buffer.of(text.length << 3, text.length >> 5, 0), text]);
    const begin = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), block]);
    const reader = decode('zstd', [begin, Buffer.of(1, 0, 0)]).getReader();
    expect(Buffer.from((await reader.read()).value ?? [])).toEqual(text);
    expect((await reader.read()).done).toBe(true);
  });
});

test('brotli with a window beyond 16 MiB is refused', async () => {
  const params = { [constants.BROTLI_PARAM_LARGE_WINDOW]: 1, [constants.BROTLI_PARAM_LGWIN]: 26 };
  expect(await outcomeOf('br', brotliCompressSync(text, { params }))).toBe(DAMAGED);
});

test.each(['gzip, br', 'BR , ZSTD', 'zstd,deflate,identity,br', 'br, br, br, br, br'])(
  '%s is decoded from the last to the first',
  async coding => {
    const names = coding
      .toLowerCase()
      .split(',')
      .map(name => name.trim());
    const body = names.reduce<Buffer>(
      (bytes, name) => (name === 'identity' ? bytes : encoders[name as 'br'](bytes)),
      text,
    );
    expect(await bytesOf(coding, body)).toEqual(text);
  },
);

test('many bodies at once, each with a decoder of its own', async () => {
  const bodies = Array.from({ length: 100 }, (_, index) => Buffer.from(`${index} `.repeat(1000)));
  const names = ['br', 'zstd', 'deflate'] as const;
  const decoded = await Promise.all(
    bodies.map((body, index) => {
      const name = names[index % 3] as 'br';
      return bytesOf(name, encoders[name](body));
    }),
  );
  for (const [index, body] of bodies.entries()) expect(decoded[index]).toEqual(body);
});

test('a failure of the body itself is told as it is', async () => {
  const failure = new Error('the connection has gone');
  function* broken() {
    yield encoders.br(text).subarray(0, 4);
    throw failure;
  }
  await expect(readAll(decode('br', broken()))).rejects.toBe(failure);
});

test('decoders that cannot be loaded are an error with a code, and are loaded at the next try, once', async () => {
  let requests = 0;
  const server = await serve('http/1.1', (_request, response) => {
    requests++;
    if (requests === 1) response.writeHead(404).end();
    else response.end(readFileSync('wasm/decoders.wasm'));
  });
  try {
    const served = new Decoders(`http://127.0.0.1:${server.port}/decoders.wasm`);
    const read = async () => Buffer.from(await readAll(decode('br', [encoders.br(text)], served)));
    const error = await read().catch(reason => reason);
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_HTTP_DECODING' });
    expect(error.message).toContain('404');
    expect(await read()).toEqual(text);
    expect(await read()).toEqual(text);
    expect(requests).toBe(2);
  } finally {
    await server.close();
  }
});

test('a context that cannot load the decoders offers what the platform decodes', async () => {
  expect(await acceptedCodings()).toBe('gzip, deflate, br, zstd');
  vi.stubGlobal('ServiceWorkerGlobalScope', class {});
  try {
    // No platform decodes zstd in several frames.
    expect(await acceptedCodings()).not.toContain('zstd');
    decoderPart.provide(await import('../../../../src/fetch/decoding/wasm-decoder.js'));
    expect(await acceptedCodings()).toBe('gzip, deflate, br, zstd');
  } finally {
    vi.unstubAllGlobals();
  }
});
