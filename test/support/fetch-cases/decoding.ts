import { answerUrl, equal, type FetchCase, failure, fetchCase, shown } from './case.js';

const text = 'decoded '.repeat(100);

/** The bytes as Latin-1, for a query. */
async function coded(formats: CompressionFormat[]): Promise<string> {
  let stream = new Blob([text]).stream() as ReadableStream;
  for (const format of formats) stream = stream.pipeThrough(new CompressionStream(format));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return String.fromCharCode(...bytes);
}

const good: [string, CompressionFormat[]][] = [
  ['gzip', ['gzip']],
  ['GZIP', ['gzip']],
  ['x-gzip', ['gzip']],
  ['deflate', ['deflate']],
  ['deflate', ['deflate-raw']],
  ['identity', []],
  ['gzip, deflate', ['gzip', 'deflate']],
  ['deflate, identity, gzip', ['deflate', 'gzip']],
];

const damages: [string, (body: string) => string][] = [
  ['cut short', body => body.slice(0, -12)],
  ['something else', () => 'no such thing, but long enough to be looked at'],
  ['changed at its end', body => `${body.slice(0, -8)}\x01\x02\x03\x04${body.slice(-4)}`],
];

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
      const response = await fetch(answerUrl(origin, { headers: { 'content-encoding': 'gzip' }, body }));
      const error = (await failure(response.text())) as Error & { code?: string };
      equal([error.name, error.code], ['TypeError', 'ERR_HTTP_DECODING']);
    }),
  ),
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
  ].map(([name, method, status]) =>
    fetchCase(`${name} with a coding has no body to decode`, async ({ fetch, origin }) => {
      const url = answerUrl(origin, { status: status as number, headers: { 'content-encoding': 'gzip' } });
      equal(await (await fetch(url, { method: method as string })).text(), '');
    }),
  ),
  fetchCase('a coded body can be cancelled', async ({ fetch, origin }) => {
    const body = await coded(['gzip']);
    const response = await fetch(answerUrl(origin, { headers: { 'content-encoding': 'gzip' }, body }));
    await response.body?.cancel();
    equal(response.bodyUsed, true);
  }),
  fetchCase('Accept-Encoding names what can be decoded', async context =>
    equal((await shown(context)).headers['accept-encoding']?.startsWith('gzip, deflate'), true),
  ),
  fetchCase('a range asks for no coding', async context =>
    equal((await shown(context, { headers: { range: 'bytes=0-' } })).headers['accept-encoding'], 'identity'),
  ),
  fetchCase("the caller's Accept-Encoding is kept", async context =>
    equal((await shown(context, { headers: { 'accept-encoding': 'x' } })).headers['accept-encoding'], 'x'),
  ),
];
