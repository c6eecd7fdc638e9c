import { describe, expect, it } from 'vitest';
import { Cookies } from '../../../../src/http/cookies/cookies.js';

const urlOf = (host: string) => new URL(`https://${host}/`);

async function filled(): Promise<Cookies> {
  const cookies = new Cookies();
  await cookies.store(urlOf('a.example.com'), ['own=1', 'shared=1; Domain=example.com']);
  await cookies.store(urlOf('example.com'), ['root=1']);
  await cookies.store(urlOf('example.org'), ['other=1']);
  return cookies;
}

/** The cookies of each host, in order. */
async function left(cookies: Cookies): Promise<string[]> {
  const hosts = ['a.example.com', 'example.com', 'example.org'];
  const texts = await Promise.all(hosts.map(host => cookies.header(urlOf(host))));
  return texts.map(text => (text ?? '').split('; ').sort().join(' '));
}

describe('Cookies', () => {
  it.each([
    ['a.example.com', ['', 'root=1', 'other=1']],
    ['A.EXAMPLE.COM:8443', ['', 'root=1', 'other=1']],
    ['example.com', ['own=1', '', 'other=1']],
    ['*.example.com', ['', '', 'other=1']],
    ['b.example.com', ['own=1', 'root=1', 'other=1']],
    ['ample.com', ['own=1 shared=1', 'root=1 shared=1', 'other=1']],
    [undefined, ['', '', '']],
  ])('clear(%s) deletes what requests there would carry', async (host, expected) => {
    const cookies = await filled();
    await cookies.clear(host);
    expect(await left(cookies)).toEqual(expected);
  });

  it.each([
    ['a.example.com', ['', 'root=2', 'other=2']],
    ['A.EXAMPLE.COM:8443', ['', 'root=2', 'other=2']],
    ['example.com', ['own=2', '', 'other=2']],
    ['*.example.com', ['', '', 'other=2']],
    ['b.example.com', ['own=2', 'root=2', 'other=2']],
    [undefined, ['', '', '']],
  ])(
    'clear(%s) holds for the answers to requests of before, and not for later ones',
    async (host, expected) => {
      const cookies = new Cookies();
      const since = cookies.clearings;
      const answers = async (at?: number) => {
        await cookies.store(urlOf('a.example.com'), ['own=2', 'shared=2; Domain=example.com'], at);
        await cookies.store(urlOf('example.com'), ['root=2'], at);
        await cookies.store(urlOf('example.org'), ['other=2'], at);
      };
      await cookies.clear('elsewhere.example');
      await cookies.clear(host);
      await answers(since);
      expect(await left(cookies)).toEqual(expected);
      await answers();
      expect(await left(cookies)).toEqual(['own=2 shared=2', 'root=2 shared=2', 'other=2']);
    },
  );

  it('clears the cookies of an IPv6 address', async () => {
    const cookies = new Cookies();
    await cookies.store(urlOf('[::1]:8443'), ['own=1']);
    expect(await cookies.header(urlOf('[::1]:8443'))).toBe('own=1');
    await cookies.clear('[::1]:8443');
    expect(await cookies.header(urlOf('[::1]:8443'))).toBe(undefined);
    await cookies.store(urlOf('[::1]:8443'), ['own=1'], 0);
    expect(await cookies.header(urlOf('[::1]:8443'))).toBe(undefined);
  });

  it.each([
    ['localhost', 'localhost.'],
    ['localhost.', 'localhost'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.bücher.example:8443', 'a.xn--bcher-kva.example'],
    ['[0:0::1]', '[::1]'],
  ])('clear(%s) knows the same host by another spelling: %s', async (host, other) => {
    const cookies = new Cookies();
    await cookies.store(urlOf(other), ['own=1']);
    expect(await cookies.header(urlOf(other))).toBe('own=1');
    await cookies.clear(host);
    expect(await cookies.header(urlOf(other))).toBe(undefined);
    await cookies.store(urlOf(other), ['own=1'], 0);
    expect(await cookies.header(urlOf(other))).toBe(undefined);
  });

  it('get gives what requests would carry and scripts may read, in the order of the header', async () => {
    const cookies = new Cookies();
    const url = new URL('https://a.example.com/sub/page');
    const values = ['session=1; HttpOnly', 'token=a%20b=', 'deep=2; Path=/sub', 'elsewhere=3; Path=/other'];
    // Header values have one code unit for each octet: this is é in UTF-8.
    await cookies.store(url, [...values, 'shared=\u00c3\u00a9; Domain=example.com; Path=/', 'nameless']);
    await cookies.store(urlOf('b.example.com'), ['foreign=1']);
    expect(await cookies.get(url)).toEqual([
      { name: 'token', value: 'a%20b=' },
      { name: 'deep', value: '2' },
      { name: '', value: 'nameless' },
      { name: 'shared', value: 'é' },
    ]);
    expect(await cookies.get('https://a.example.com/')).toEqual([{ name: 'shared', value: 'é' }]);
    expect(await cookies.get('https://example.org/')).toEqual([]);
    expect(await new Cookies().get(url)).toEqual([]);
  });

  it('get counts as no use: what makes room for new cookies is what no request has carried for longest', async () => {
    const cookies = new Cookies({ maxHeaderBytes: 4_100 });
    const half = 'x'.repeat(2_500);
    await cookies.store(urlOf('example.com'), [`a=${half}`, `b=${half}`]);
    expect(await cookies.get('https://example.com')).toHaveLength(2);
    expect(await cookies.header(urlOf('example.com'))).toBe(`b=${half}`);
  });

  it.each(['', 'example.com', 'http://example.com', 'wss://example.com'])(
    'get(%j) is a TypeError',
    async url => {
      await expect(new Cookies().get(url)).rejects.toThrow('"url" must be an https: address');
    },
  );

  it.each(['', 'https://example.com', 'a b', '[::1', '*.'])('clear(%j) is a TypeError', async host => {
    const cookies = await filled();
    await expect(cookies.clear(host)).rejects.toThrow(TypeError);
    expect(cookies.clearings).toBe(0);
  });

  it('refuses the cookies of a public suffix', async () => {
    const cookies = new Cookies();
    await cookies.store(urlOf('a.co.uk'), ['super=1; Domain=co.uk', 'own=1']);
    expect(await cookies.header(urlOf('a.co.uk'))).toBe('own=1');
    expect(await cookies.header(urlOf('b.co.uk'))).toBe(undefined);
  });

  it('lets a public suffix, or a host without dots, name itself', async () => {
    const cookies = new Cookies();
    for (const host of ['github.io', 'intranet']) {
      await cookies.store(urlOf(host), [`own=1; Domain=${host}`]);
      expect(await cookies.header(urlOf(host))).toBe('own=1');
      expect(await cookies.header(urlOf(`below.${host}`))).toBe(undefined);
    }
  });

  it('shares the cookies of a registrable domain that names itself', async () => {
    const cookies = new Cookies();
    await cookies.store(urlOf('example.com'), ['own=1; Domain=.EXAMPLE.com']);
    expect(await cookies.header(urlOf('below.example.com'))).toBe('own=1');
  });

  it.each<[set: string[], sent: string | undefined]>([
    [['a'], 'a'],
    [['=a'], 'a'],
    [['=a', 'a=1'], 'a; a=1'],
    [['=1', '2'], '2'],
    [['=a', '=; Max-Age=0'], 'a'],
    [['=a', '=b; Max-Age=0'], undefined],
    [['='], undefined],
    [['; Secure'], undefined],
    [['=a=b'], undefined],
    [['a=\x7f'], undefined],
    [['a=1; Path=/\x7f'], undefined],
    [['a=1; Domain=example.com; Domain='], 'a=1'],
    [['a=1; Domain=elsewhere.example; Domain=example.com'], 'a=1'],
    [['a=1; Domain=example.com; Domain=elsewhere.example'], undefined],
    [['__secure-a=1'], undefined],
    [['__SECURE-a=1; Secure'], '__SECURE-a=1'],
    [['__host-a=1; Secure'], undefined],
    [['__HOST-a=1; Secure; Path=/'], '__HOST-a=1'],
    [['__Host-a=1; Secure; Path=/; Domain=www.example.com'], undefined],
    [['__Host-a=1; Secure; Path=/; Path=/x'], undefined],
    [['=__Host-a; Secure; Path=/'], undefined],
    [['__Secure-; Secure'], undefined],
  ])('keeps of %j what browsers keep', async (set, sent) => {
    const cookies = new Cookies();
    await cookies.store(urlOf('www.example.com'), set);
    expect(await cookies.header(urlOf('www.example.com'))).toBe(sent);
  });

  it('takes the last Domain, which may be empty', async () => {
    const cookies = new Cookies();
    await cookies.store(urlOf('www.example.com'), ['a=1; Domain=example.com; Domain=']);
    expect(await cookies.header(urlOf('example.com'))).toBe(undefined);
  });
});
