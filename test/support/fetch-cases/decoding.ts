import { answerUrl, type CaseContext, equal, type FetchCase, failure, fetchCase, shown } from './case.js';

const text = 'decoded '.repeat(100);

/** The text as Node's zlib and the command zstd encode it: browsers have no encoder for these. */
const ready = {
  br: atob('Gx8D+I2UqeNbjZFlGchb9BYOkJYb'),
  zstd: atob('KLUv/QRofQAAQGRlY29kZWQgAQAVV5cLVAl9GQ=='),
};
/** A frame that decoders of zstd leave out (RFC 8878 section 3.1.2). */
const skippable = '\x50\x2a\x4d\x18\x03\0\0\0abc';

type Format = CompressionFormat | keyof typeof ready;

/** The bytes as Latin-1, for a query. */
async function coded([first, ...more]: Format[]): Promise<string> {
  if (first === undefined) return text;
  const isReady = first === 'br' || first === 'zstd';
  const start = isReady ? Uint8Array.from(ready[first], it => it.charCodeAt(0)) : text;
  let stream = new Blob([start]).stream() as ReadableStream;
  for (const format of isReady ? more : [first, ...more])
    stream = stream.pipeThrough(new CompressionStream(format as CompressionFormat));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return String.fromCharCode(...bytes);
}

const good: [string, Format[]][] = [
  ['gzip', ['gzip']],
  ['GZIP', ['gzip']],
  ['x-gzip', ['gzip']],
  ['deflate', ['deflate']],
  ['deflate', ['deflate-raw']],
  ['identity', []],
  ['gzip, deflate', ['gzip', 'deflate']],
  ['deflate, identity, gzip', ['deflate', 'gzip']],
  ['br', ['br']],
  ['Br', ['br']],
  ['zstd', ['zstd']],
  ['ZSTD', ['zstd']],
  ['br, gzip', ['br', 'gzip']],
  ['zstd, deflate', ['zstd', 'deflate']],
];

const each: [string, Format][] = [
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['deflate', 'deflate-raw'],
  ['br', 'br'],
  ['zstd', 'zstd'],
];

const damages: [string, (body: string) => string][] = [
  ['cut short', body => body.slice(0, -12)],
  ['something else', () => 'no such thing, but long enough to be looked at'],
  ['changed at its end', body => `${body.slice(0, -8)}\x01\x02\x03\x04${body.slice(-4)}`],
];

const REFUSED = ['TypeError', 'ERR_HTTP_DECODING'];

/** Name and code of what reading a body fails with. */
async function refusal(fetch: CaseContext['fetch'], url: string): Promise<[string, string | undefined]> {
  const response = await fetch(url);
  const error = (await failure(response.text())) as Error & { code?: string };
  return [error.name, error.code];
}

export const decodingCases: FetchCase[] = [
  ...good.map(([coding, formats]) =>
    fetchCase(`decodes ${coding} of ${formats.join(' in ')}`, async ({ fetch, origin }) => {
      const body = await coded(formats);
      const response = await fetch(answerUrl(origin, { headers: { 'content-encoding': coding }, body }));
      equal([await response.text(), response.headers.get('content-encoding')], [text, coding]);
    }),
  ),
  ...damages.map(([name, damage]) =>
    fetchCase(`gzip that is ${name} is a TypeError`, async ({ fetch, origin }) => {
      const body = damage(await coded(['gzip']));
      equal(
        await refusal(fetch, answerUrl(origin, { headers: { 'content-encoding': 'gzip' }, body })),
        REFUSED,
      );
    }),
  ),
  ...each.flatMap(([coding, format]) => [
    fetchCase(`${format} that is cut short is a TypeError`, async ({ fetch, origin }) => {
      const body = (await coded([format])).slice(0, -1);
      equal(
        await refusal(fetch, answerUrl(origin, { headers: { 'content-encoding': coding }, body })),
        REFUSED,
      );
    }),
    ...['\0', 'junk'].map(junk =>
      fetchCase(
        `${format} with ${JSON.stringify(junk)} behind it is a TypeError`,
        async ({ fetch, origin }) => {
          const body = (await coded([format])) + junk;
          equal(
            await refusal(fetch, answerUrl(origin, { headers: { 'content-encoding': coding }, body })),
            REFUSED,
          );
        },
      ),
    ),
  ]),
  fetchCase('decodes frames of zstd with skippable ones between', async ({ fetch, origin }) => {
    const body = skippable + ready.zstd + skippable + ready.zstd;
    const response = await fetch(answerUrl(origin, { headers: { 'content-encoding': 'zstd' }, body }));
    equal(await response.text(), text + text);
  }),
  ...['x-mine', 'constructor', 'gzip, x-mine'].map(coding =>
    fetchCase(`the unknown coding ${coding} is left as it is`, async ({ fetch, origin }) => {
      const response = await fetch(
        answerUrl(origin, { headers: { 'content-encoding': coding }, body: 'as is' }),
      );
      equal(await response.text(), 'as is');
    }),
  ),
  fetchCase('six codings in a row are a TypeError', async ({ fetch, origin }) => {
    const headers = { 'content-encoding': 'gzip, gzip, gzip, gzip, gzip, gzip' };
    const error = (await failure(fetch(answerUrl(origin, { headers, body: 'x' })))) as Error & {
      code?: string;
    };
    equal([error.name, error.code], ['TypeError', 'ERR_HTTP_DECODING']);
  }),
  ...[
    ['a HEAD', 'HEAD', 200],
    ['a 204', 'GET', 204],
    ['a 304', 'GET', 304],
    ['an empty body', 'GET', 200],
  ].flatMap(([name, method, status]) =>
    ['gzip', 'deflate', 'br', 'zstd'].map(coding =>
      fetchCase(`${name} with ${coding} has no body to decode`, async ({ fetch, origin }) => {
        const headers = { 'content-encoding': coding };
        const url = answerUrl(origin, { status: status as number, headers });
        equal(await (await fetch(url, { method: method as string })).text(), '');
      }),
    ),
  ),
  fetchCase('a coded body can be cancelled', async ({ fetch, origin }) => {
    const body = await coded(['gzip']);
    const response = await fetch(answerUrl(origin, { headers: { 'content-encoding': 'gzip' }, body }));
    await response.body?.cancel();
    equal(response.bodyUsed, true);
  }),
  fetchCase('Accept-Encoding names what can be decoded', async context =>
    equal((await shown(context)).headers['accept-encoding'], 'gzip, deflate, br, zstd'),
  ),
  fetchCase('a range asks for no coding', async context =>
    equal((await shown(context, { headers: { range: 'bytes=0-' } })).headers['accept-encoding'], 'identity'),
  ),
  fetchCase("the caller's Accept-Encoding is kept", async context =>
    equal((await shown(context, { headers: { 'accept-encoding': 'x' } })).headers['accept-encoding'], 'x'),
  ),
];
