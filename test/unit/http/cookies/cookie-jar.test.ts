import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type CookieOptions, Cookies } from '../../../../src/http/cookies/cookies.js';

const urlOf = (host: string, path = '/') => new URL(`https://${host}${path}`);
const names = (header: string | undefined) => (header ?? '').split('; ').map(it => it.split('=')[0]);
const numbered = (count: number, attributes = '', start = 0) =>
  Array.from({ length: count }, (_, i) => `c${start + i}=x${attributes}`);
/** More than any test stores. */
const wide = () => new Cookies({ maxHeaderBytes: 1_048_576 });

afterEach(() => {
  vi.useRealTimers();
});

describe('the size of a cookie', () => {
  it.each<[what: string, cookie: string, kept: boolean]>([
    ['4,096 bytes of value', `=${'v'.repeat(4_093)}`, true],
    ['4,097 bytes', `=${'v'.repeat(4_094)}`, false],
    ['many bytes', `=${'v'.repeat(200_000)}`, false],
    ['4,096 bytes, with attributes beside them', `=${'v'.repeat(4_093)}; Path=/; Secure; Max-Age=99`, true],
    ['4,096 bytes, with white space around them', `  =  ${'v'.repeat(4_093)}  ; Path=/`, true],
    ['an attribute that is not known and large', `=v; Junk=${'j'.repeat(100_000)}`, true],
    ['4,096 bytes beyond ASCII', `=${'\u00e9'.repeat(4_093)}`, true],
    ['4,097 bytes beyond ASCII', `=${'\u00e9'.repeat(4_094)}`, false],
  ])('%s', async (_what, cookie, kept) => {
    const cookies = new Cookies();
    await cookies.store(urlOf('example.com'), [`abc${cookie}`, 'b=1']);
    expect(names(await cookies.header(urlOf('example.com')))).toEqual(kept ? ['abc', 'b'] : ['b']);
  });

  it('a name counts as well', async () => {
    const cookies = new Cookies();
    const long = 'n'.repeat(4_095);
    await cookies.store(urlOf('example.com'), [`${long}=1`, `${long}m=1`]);
    expect(await cookies.header(urlOf('example.com'))).toBe(`${long}=1`);
  });

  it('an attribute of more than 1,024 bytes is none', async () => {
    const cookies = new Cookies();
    const path = `/${'p'.repeat(1_023)}`;
    await cookies.store(urlOf('a.example.com', `${path}x/y`), [
      `fits=1; Path=${path}`,
      `long=1; Path=${path}x`,
      `later=1; Max-Age=${'0'.repeat(1_025)}`,
      `own=1; Domain=${'.'.repeat(1_020)}example.com`,
    ]);
    expect(names(await cookies.header(urlOf('a.example.com', path)))).toEqual(['fits']);
    const there = names(await cookies.header(urlOf('a.example.com', `${path}x/y`)));
    expect(there.sort()).toEqual(['later', 'long', 'own']);
    expect(await cookies.header(urlOf('b.example.com', `${path}x/y`))).toBe(undefined);
  });
});

describe('how many cookies there are', () => {
  it('of a site: 180, the ones that were not used for longest go', async () => {
    const cookies = wide();
    await cookies.store(urlOf('example.com'), numbered(180));
    await cookies.store(urlOf('example.com'), ['c0=again']);
    await cookies.store(urlOf('example.com'), numbered(10, '', 180));
    const left = names(await cookies.header(urlOf('example.com')));
    expect(left).toHaveLength(180);
    expect(left).toEqual(['c0', ...numbered(179, '', 11).map(it => it.split('=')[0])]);
  });

  it('a cookie that is sent has been used', async () => {
    const cookies = wide();
    await cookies.store(urlOf('example.com'), numbered(90, '; Path=/a'));
    await cookies.store(urlOf('example.com'), numbered(90, '; Path=/b'));
    await cookies.header(urlOf('example.com', '/a'));
    await cookies.store(urlOf('example.com'), numbered(90, '; Path=/c'));
    const counts = [];
    for (const path of ['/a', '/b', '/c'])
      counts.push((await cookies.header(urlOf('example.com', path)))?.split('; ').length ?? 0);
    expect(counts).toEqual([90, 0, 90]);
  });

  it('a site is a registrable domain with all below it; an address or a single name is one of its own', async () => {
    const cookies = wide();
    for (const host of [
      'a.example.co.uk',
      'b.example.co.uk',
      'other.co.uk',
      '127.0.0.1',
      '127.0.0.2',
      'localhost',
    ])
      await cookies.store(urlOf(host), numbered(100));
    const count = async (host: string) => (await cookies.header(urlOf(host)))?.split('; ').length;
    expect(await count('a.example.co.uk')).toBe(80);
    for (const host of ['b.example.co.uk', 'other.co.uk', '127.0.0.1', '127.0.0.2', 'localhost'])
      expect(await count(host), host).toBe(100);
  });

  it('expired ones go first, then those without Secure, whatever their time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const cookies = wide();
    await cookies.store(urlOf('example.com'), numbered(60, '; Secure'));
    await cookies.store(urlOf('example.com'), numbered(60, '', 60));
    await cookies.store(urlOf('example.com'), numbered(60, '; Max-Age=10; Secure', 120));
    vi.setSystemTime(Date.now() + 11_000);
    await cookies.store(urlOf('example.com'), ['next=1']);
    expect(await cookies.header(urlOf('example.com'))).toHaveLength(
      [...numbered(120), 'next=1'].join('; ').length,
    );
    await cookies.store(urlOf('example.com'), numbered(70, '; Secure', 200));
    const left = names(await cookies.header(urlOf('example.com')));
    expect(left).toHaveLength(180);
    expect(left.slice(0, 61)).toEqual([...numbered(60).map(it => it.split('=')[0]), 'c71']);
  });

  it('of all: 3,000, whosever they are', async () => {
    const cookies = wide();
    for (let i = 0; i < 20; i++) await cookies.store(urlOf(`site${i}.example`), numbered(150));
    await cookies.store(urlOf('late.example'), numbered(10));
    expect((await cookies.header(urlOf('site0.example')))?.split('; ')).toHaveLength(140);
    for (let i = 1; i < 20; i++)
      expect((await cookies.header(urlOf(`site${i}.example`)))?.split('; ')).toHaveLength(150);
  });

  it('one that its server deletes leaves room', async () => {
    const cookies = wide();
    await cookies.store(urlOf('example.com'), numbered(180));
    await cookies.store(urlOf('example.com'), ['c5=; Max-Age=0', 'unknown=; Max-Age=0', 'new=1']);
    const left = names(await cookies.header(urlOf('example.com')));
    expect([left.length, left[0], left.includes('c5')]).toEqual([180, 'c0', false]);
  });

  it('clear makes room too', async () => {
    const cookies = wide();
    await cookies.store(urlOf('example.com'), numbered(180));
    await cookies.store(urlOf('www.example.com'), ['other=1']);
    await cookies.clear('example.com');
    expect(await cookies.header(urlOf('example.com'))).toBe(undefined);
    await cookies.store(urlOf('example.com'), numbered(179));
    expect(await cookies.header(urlOf('www.example.com'))).toBe('other=1');
    expect(names(await cookies.header(urlOf('example.com')))[0]).toBe('c0');
  });
});

describe('the header', () => {
  it('is as long as servers take, with the cookies that were used last', async () => {
    const cookies = new Cookies();
    for (let i = 0; i < 87; i++)
      await cookies.store(urlOf('example.com'), [`c${i}=${'v'.repeat(4_000)}`, `small${i}=1`]);
    const header = await cookies.header(urlOf('example.com'));
    expect(header?.length).toBeLessThanOrEqual(8_180);
    // In the order in which they came, as ever.
    expect(names(header).slice(-4)).toEqual(['c85', 'small85', 'c86', 'small86']);
    expect(names(header)).not.toContain('c84');
    expect(await cookies.header(urlOf('example.com'))).toBe(header);
  });

  it('has a small cookie where a large one has no room', async () => {
    const cookies = new Cookies();
    await cookies.store(urlOf('example.com'), [
      'session=1',
      `a=${'v'.repeat(4_094)}`,
      `b=${'v'.repeat(4_000)}`,
    ]);
    await cookies.store(urlOf('example.com'), [`c=${'v'.repeat(4_000)}`]);
    expect(names(await cookies.header(urlOf('example.com')))).toEqual(['session', 'b', 'c']);
  });

  it('may be longer or shorter', async () => {
    const count = async (options: CookieOptions) => {
      const cookies = new Cookies(options);
      await cookies.store(
        urlOf('example.com'),
        numbered(180).map(it => it + 'v'.repeat(990)),
      );
      return names(await cookies.header(urlOf('example.com'))).length;
    };
    expect(await count({ maxHeaderBytes: 4_100 })).toBe(4);
    expect(await count({})).toBe(8);
    expect(await count({ maxHeaderBytes: 64_000 })).toBe(64);
  });

  it.each([0, 4_099, 1_048_577, 8_180.5, Number.NaN, '8180', null])(
    'of %j bytes is refused',
    maxHeaderBytes => {
      expect(() => new Cookies({ maxHeaderBytes: maxHeaderBytes as number })).toThrow(
        /^"cookies.maxHeaderBytes" must be an integer from 4100 to 1048576$/,
      );
    },
  );
});

it('what is left of long values takes no more memory than it says', async () => {
  const cookies = wide();
  const before = await heapBytes();
  for (let site = 0; site < 300; site++) {
    const long = Array.from({ length: 10 }, (_, i) => `c${i}=1; Junk${i}=${'j'.repeat(100_000)}; Secure`);
    await cookies.store(urlOf(`site${site}.example`), long);
  }
  expect((await heapBytes()) - before).toBeLessThan(20_000_000);
  expect(names(await cookies.header(urlOf('site299.example')))).toHaveLength(10);
});

it('paths and hosts that are gone leave nothing behind', async () => {
  const cookies = wide();
  let path = 0;
  const store = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        cookies.store(urlOf(`host${i}.example.com`), [`c=1; Path=/${path++}${'p'.repeat(900)}`]),
      ),
    );
  await store(200);
  const before = await heapBytes();
  for (let round = 0; round < 20; round++) {
    await store(500);
    await cookies.clear('*.example.com');
  }
  expect((await heapBytes()) - before).toBeLessThan(5_000_000);
});

/** What the garbage collector leaves. */
async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise(resolve => setTimeout(resolve));
  }
  return process.memoryUsage().heapUsed;
}
