import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MtlsError } from '../../../src/errors.js';
import { ImportBudget } from '../../../src/p12/budget/import-budget.js';
import { checkedLimits } from '../../../src/p12/budget/limits.js';
import { ImportEngine, Purpose } from '../../../src/p12/decryption/engine.js';
import { readingsOf } from '../../../src/p12/decryption/password.js';
import { type ImportProgress, openPkcs12 } from '../../../src/p12/open-pkcs12.js';
import { BagReader } from '../../../src/p12/structure/bags.js';
import { type Pfx, parsePfx, readContent } from '../../../src/p12/structure/structure.js';
import { engineModule } from '../../support/engine.js';
import { OpensslFiles } from '../../support/openssl-files.js';

let files: OpensslFiles;
beforeAll(() => {
  files = new OpensslFiles();
}, 30_000);
afterAll(() => files.close());

const open = (file: Uint8Array<ArrayBuffer>) =>
  openPkcs12(file, { password: 'secret', engine: engineModule(), maxIterations: 20_000 });

/** Opens or fails with an MtlsError; anything else is thrown. Gives the code. */
async function outcome(file: Uint8Array<ArrayBuffer>): Promise<string> {
  try {
    await open(file);
    return 'opened';
  } catch (error) {
    if (error instanceof MtlsError) return error.code;
    throw error;
  }
}

const budget = new ImportBudget({ limits: checkedLimits() });
const cheap = ['-iter', '1', '-maciter'];

/** A copy, changed, with the MAC made anew. */
async function withRightMac(
  intact: Uint8Array<ArrayBuffer>,
  change: (pfx: Pfx) => void | Promise<void> = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const file = intact.slice();
  // What it reads are views of the file.
  const pfx = parsePfx(file);
  const { mac, authenticated } = pfx;
  if (!mac) throw new Error('the file has no MAC');
  await change(pfx);
  const engine = await ImportEngine.create(engineModule());
  const password = readingsOf('secret').bmp[0] ?? new Uint8Array();
  const { salt, iterations, scheme } = mac;
  const key = await engine.derive(
    {
      ...{ kind: 'pkcs12', hash: scheme.hash, purpose: Purpose.mac },
      ...{ password, salt, iterations, bytes: mac.digest.length },
    },
    budget,
  );
  mac.digest.set(createHmac(scheme.hash.replace('-', ''), key).update(authenticated).digest());
  return file;
}

/** The last block, so that the padding is gone. */
function flip(ciphertext: Uint8Array): void {
  expect(ciphertext.length).toBeGreaterThan(0);
  ciphertext.set([(ciphertext.at(-1) ?? 0) ^ 0x55], ciphertext.length - 1);
}

/** A generator of the same numbers each time (mulberry32's step). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Trees of BER elements, of honest and of dishonest lengths. */
const ber: fc.Arbitrary<Uint8Array> = fc.letrec<{ element: Uint8Array }>(tie => ({
  element: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc
      .tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 12, 30, 0x80), fc.uint8Array({ maxLength: 20 }))
      .map(([tag, content]) => Uint8Array.from([tag, content.length, ...content])),
    fc
      .tuple(
        fc.constantFrom(0x30, 0x31, 0x24, 0xa0, 0xa1),
        fc.array(tie('element'), { maxLength: 4 }),
        fc.constantFrom('right', 'indefinite', 'long', 'short'),
      )
      .map(([tag, parts, length]) => constructed(tag, Buffer.concat(parts), length)),
  ),
})).element;

function constructed(tag: number, content: Uint8Array, length: string): Uint8Array {
  if (length === 'indefinite') return Uint8Array.from([tag, 0x80, ...content, 0, 0]);
  const octets = content.length + (length === 'long' ? 5 : length === 'short' ? -1 : 0);
  const bytes = Math.max(octets, 0);
  return Uint8Array.from([tag, 0x82, bytes >> 8, bytes & 0xff, ...content]);
}

describe('damage', () => {
  it('is told at every length of a truncated file', async () => {
    for (const args of [['-legacy'], []]) {
      const file = files.export(files.client('p256'), { chain: [], args: [...args, ...cheap] });
      for (let length = 0; length < file.length; length++)
        expect(await outcome(file.subarray(0, length))).toBe('ERR_P12_MALFORMED');
    }
  }, 120_000);

  // Without a MAC, what is flipped is looked at: 20,000 bits in all, the same in each run.
  it.each([
    ['AES', [], 2_000],
    ['AES without MAC', ['-nomac'], 7_000],
    ['3DES without MAC', ['-nomac', '-legacy'], 7_000],
    ['nothing encrypted, no MAC', ['-nomac', '-keypbe', 'NONE', '-certpbe', 'NONE'], 4_000],
  ])(
    'of single bits gives only errors of this library: %s',
    async (name, args, flips) => {
      const file = files.export(files.client('p256'), { args: [...args, ...cheap] });
      const random = generator(name.length);
      const seen = new Set<string>();
      for (let i = 0; i < flips; i++) {
        const bad = file.slice();
        const bit = Math.floor(random() * 8 * bad.length);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        seen.add(await outcome(bad));
      }
      expect(seen.has('ERR_P12_MALFORMED')).toBe(true);
      expect(seen.has('ERR_ENGINE_FAILED')).toBe(false);
    },
    180_000,
  );

  it('of any bytes, within and around a file, gives only errors of this library', async () => {
    const file = files.export(files.client('p256'), { args: ['-nomac', ...cheap] });
    const edit = fc.record({
      at: fc.nat(file.length),
      remove: fc.nat(40),
      insert: fc.oneof(fc.uint8Array({ maxLength: 40 }), ber),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async edits => {
        let bytes = Buffer.from(file);
        for (const { at, remove, insert } of edits)
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        await outcome(new Uint8Array(bytes));
      }),
      { numRuns: 1_500, seed: 7292 },
    );
    await fc.assert(
      fc.asyncProperty(ber, async bytes => {
        expect(await outcome(new Uint8Array(bytes))).not.toBe('opened');
      }),
      { numRuns: 1_500, seed: 9579 },
    );
  }, 120_000);

  it('behind a MAC that is right is no wrong password', async () => {
    for (const args of [['-legacy'], []]) {
      const intact = files.export(files.client('p256'), { args: [...args, ...cheap] });
      expect(await outcome(await withRightMac(intact))).toBe('opened');
      // The certificates' ciphertext, then the key's, which is the end of what the MAC covers.
      const certificates = await withRightMac(intact, ({ contents }) => {
        const encrypted = contents.map(it => readContent(it, budget)).find(it => 'ciphertext' in it);
        flip(encrypted && 'ciphertext' in encrypted ? encrypted.ciphertext : new Uint8Array());
      });
      expect(await outcome(certificates)).toBe('ERR_P12_KEY_PASSWORD');
      const key = await withRightMac(intact, async ({ contents }) => {
        const clear = contents.map(it => readContent(it, budget)).find(it => it instanceof Uint8Array);
        const bags = await new BagReader(budget).read(clear as Uint8Array<ArrayBuffer>);
        const encrypted = bags?.keys[0]?.key;
        flip(encrypted && 'ciphertext' in encrypted ? encrypted.ciphertext : new Uint8Array());
      });
      expect(await outcome(key)).toBe('ERR_P12_KEY_PASSWORD');
    }
  });

  it('survives deep nesting and absurd lengths', async () => {
    const nested = new Uint8Array(100_000).fill(0x30);
    expect(await outcome(nested)).toBe('ERR_P12_MALFORMED');
    const indefinite = new Uint8Array(100_000).map((_, i) => (i % 2 ? 0x80 : 0x30));
    expect(await outcome(indefinite)).toBe('ERR_P12_MALFORMED');
    expect(await outcome(Uint8Array.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 3]))).toBe(
      'ERR_P12_MALFORMED',
    );
    expect(await outcome(new Uint8Array(1_000_000).map(() => Math.random() * 256))).toBe('ERR_P12_MALFORMED');
  });
});

describe('cost', () => {
  // PFX { 3, data { empty AuthenticatedSafe }, MacData { SHA-1, …, iterations } }
  const emptyFile = (iterations: number[]) => {
    const sha1 = [0x30, 9, 6, 5, 0x2b, 14, 3, 2, 0x1a, 5, 0];
    const digestInfo = sequence([...sha1, 4, 20, ...new Array(20).fill(0)]);
    const macData = sequence([...digestInfo, 4, 2, 1, 2, 2, iterations.length, ...iterations]);
    const data = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 1];
    const authSafe = sequence([...data, 0xa0, 4, 4, 2, 0x30, 0]);
    return Uint8Array.from(sequence([2, 1, 3, ...authSafe, ...macData]));
  };
  const sequence = (content: number[]) => [0x30, content.length, ...content];

  it('is read from integers of every size', async () => {
    const affordable = emptyFile([0x4e, 0x20]);
    expect(await outcome(affordable)).toBe('ERR_P12_PASSWORD');
    expect(await open(await withRightMac(affordable))).toEqual({
      identities: [],
      certificates: [],
      unsupported: [],
    });
    for (const iterations of [
      [0x4e, 0x21],
      [0x7f, 0xff, 0xff, 0xff],
      [0, 0x80, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [1, ...new Array(40).fill(0)],
    ])
      expect(await outcome(emptyFile(iterations))).toBe('ERR_P12_TOO_EXPENSIVE');
    for (const iterations of [[], [0], [0xff], [0x80, 0, 0, 0]])
      expect(await outcome(emptyFile(iterations))).toBe('ERR_P12_MALFORMED');
  });

  it('leaves the page its turns, reports progress and ends on abort', async () => {
    const file = files.export(files.client('p256'), {
      args: ['-legacy', '-iter', '200000', '-macalg', 'sha512'],
    });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const reports: ImportProgress[] = [];
    const options = { password: 'secret', engine: engineModule() };
    await openPkcs12(file, { ...options, onProgress: it => void reports.push(it) });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
    expect(reports.length).toBeGreaterThan(5);
    expect(reports.at(-1)).toEqual({ completed: reports.at(-1)?.total, total: reports.at(-1)?.total });
    for (const [i, { completed }] of reports.entries())
      expect(completed).toBeGreaterThanOrEqual(reports[i - 1]?.completed ?? 0);

    const abort = new AbortController();
    const reason = new Error('enough');
    const opening = openPkcs12(file, {
      ...options,
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    });
    await expect(opening).rejects.toBe(reason);
    await expect(openPkcs12(file, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
