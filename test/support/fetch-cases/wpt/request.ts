import { equal, failure, shown, typeError } from '../case.js';
import { bytesOf, streamed, streamOf } from './bodies.js';
import { reasons } from './reasons.js';
import { requestErrors } from './request-errors.js';
import { type Difference, subtest, type WptFile } from './subtest.js';

/** Ports that browsers do not connect to (Fetch standard, "bad port"). */
const BAD_PORTS = [
  ...[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109,
  ],
  ...[
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526,
    530, 531,
  ],
  ...[
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060,
  ],
  ...[5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
];

const type = 'test/only; mime=type';
const contentTypes: [string, () => BodyInit | undefined, string | undefined][] = [
  ['no body', () => undefined, undefined],
  ['a Blob', () => new Blob([]), undefined],
  ['a Blob with an empty type', () => new Blob([], { type: '' }), undefined],
  ['a Blob with a type', () => new Blob([], { type: 'a/b; c=d' }), 'a/b; c=d'],
  ['a Uint8Array', () => new Uint8Array(), undefined],
  ['URLSearchParams', () => new URLSearchParams(), 'application/x-www-form-urlencoded;charset=UTF-8'],
  ['a text', () => '', 'text/plain;charset=UTF-8'],
  ['a stream', () => streamOf(), undefined],
];

const formData = () => {
  const data = new FormData();
  data.append('a', 'b');
  return data;
};

const inits: [string, () => BodyInit | null | undefined, string | undefined, string][] = [
  ['undefined', () => undefined, undefined, ''],
  ['null', () => null, undefined, ''],
  [
    'a Blob',
    () => new Blob(['This is a blob'], { type: 'application/octet-binary' }),
    'application/octet-binary',
    'This is a blob',
  ],
  ['a FormData', formData, 'multipart/form-data', 'name="a"\r\n\r\nb'],
  ['a text', () => 'This is a text', 'text/plain;charset=UTF-8', 'This is a text'],
  ['an object', () => ({ toString: () => 'hi!' }) as never, 'text/plain;charset=UTF-8', 'hi!'],
  [
    'URLSearchParams',
    () => new URLSearchParams('name=value'),
    'application/x-www-form-urlencoded;charset=UTF-8',
    'name=value',
  ],
];

const used: [string, (stream: ReadableStream) => unknown][] = [
  ['that has a reader', stream => stream.getReader()],
  ['that is being read', stream => void stream.getReader().read()],
  [
    'that was read and let go',
    async stream => {
      const reader = stream.getReader();
      await reader.read();
      reader.releaseLock();
    },
  ],
];

const plain: [string, () => BodyInit | null][] = [
  ['null', () => null],
  ['a text', () => '...'],
  ['a Uint8Array', () => new Uint8Array(3)],
  ['a Blob', () => new Blob([])],
];

const noDuplex: Difference = {
  shows: 'it did not reject',
  reason: reasons.duplex,
};

const streamCases = [
  ...used.map(([name, use]) =>
    subtest(`a stream ${name}`, async ({ fetch, origin }) => {
      const body = streamOf(bytesOf('one'), bytesOf('two'));
      await use(body);
      await typeError(fetch(`${origin}/show`, streamed(body)));
    }),
  ),
  ...used.map(([name, use]) =>
    subtest(`a Request with a body ${name}, and another body for it`, async context => {
      const { fetch, origin } = context;
      const request = new Request(`${origin}/show`, { method: 'POST', body: 'old' });
      // Firefox has no body to take a reader of.
      await (request.body ? use(request.body) : request.text());
      await typeError(fetch(request));
      equal((await (await fetch(request, { body: 'new' })).json()).body, 'new');
    }),
  ),
  ...plain.flatMap(([name, make]) => [
    subtest(`${name} without duplex`, async context =>
      equal((await shown(context, { method: 'POST', body: make() })).method, 'POST'),
    ),
    subtest(`${name} with duplex`, async context =>
      equal((await shown(context, streamed(make() as BodyInit))).method, 'POST'),
    ),
    subtest(`${name} with duplex "full"`, ({ fetch, origin }) =>
      typeError(fetch(origin, streamed(make() as BodyInit, { duplex: 'full' } as RequestInit))),
    ),
  ]),
  subtest(
    'a stream without duplex',
    ({ fetch, origin }) => typeError(fetch(`${origin}/show`, { method: 'POST', body: streamOf() })),
    { differs: noDuplex },
  ),
  subtest('a stream with duplex', async context =>
    equal((await shown(context, streamed(streamOf()))).body, ''),
  ),
  subtest('a stream with duplex "full"', ({ fetch, origin }) =>
    typeError(fetch(origin, streamed(streamOf(), { duplex: 'full' } as RequestInit))),
  ),
];

/** A cache would send nothing, or ask whether what it has is still right. */
const conditional = ['If-Modified-Since', 'If-None-Match', 'If-Unmodified-Since', 'If-Match', 'If-Range'];
const noCache = ['no-cache', 'no-cache'];
const cacheFields = async (context: Parameters<typeof shown>[0], init: RequestInit) => {
  const { headers } = await shown(context, init);
  return [headers.pragma, headers['cache-control']];
};

export const requestFiles: WptFile[] = [
  {
    file: 'request/forbidden-method.any.js',
    subtests: ['CONNECT', 'TRACE', 'TRACK', 'connect', 'trace', 'track'].map(method =>
      subtest(method, ({ fetch, origin }) => typeError(fetch(origin, { method }))),
    ),
  },
  {
    file: 'request/request-error.any.js',
    subtests: [
      ...requestErrors.map(([name, url, init]) =>
        subtest(name, async ({ fetch, origin }) => {
          const error = await failure(fetch(url || `${origin}/show`, init as RequestInit));
          equal([error.name, 'code' in error], ['TypeError', false]);
        }),
      ),
      subtest("init's headers are in place of a Request's", async ({ fetch, origin }) => {
        const request = new Request(`${origin}/show`, { headers: { 'content-type': 'potato' } });
        const types = [fetch(request), fetch(request, { headers: new Headers() })].map(
          async it => (await (await it).json()).headers['content-type'],
        );
        equal(await Promise.all(types), ['potato', undefined]);
      }),
      subtest("a Request's Content-Type is its body's", async ({ fetch, origin }) => {
        const init = { headers: { 'content-type-extra': 'x' }, body: 'x', method: 'POST' };
        const { headers } = await (await fetch(new Request(`${origin}/show`, init))).json();
        equal(headers['content-type'], 'text/plain;charset=UTF-8');
      }),
    ],
    without: "The rest asks the platform's Request.",
  },
  {
    file: 'request/request-bad-port.any.js',
    subtests: BAD_PORTS.map(port =>
      subtest(`the port ${port}`, async ({ fetch }) => {
        const error = (await failure(fetch(`https://localhost:${port}/`))) as Error & { code?: string };
        equal(error.name, 'TypeError');
      }),
    ),
    without: 'That no browser would connect is not shown: here the list of the relay decides.',
  },
  {
    file: 'request/request-init-priority.any.js',
    subtests: [
      ...['high', 'low', 'auto'].map(priority =>
        subtest(priority, async context =>
          equal((await shown(context, { priority } as RequestInit)).method, 'GET'),
        ),
      ),
      subtest('a bad one', ({ fetch, origin }) => typeError(fetch(origin, { priority: 'invalid' } as never))),
    ],
    without: "The rest asks the platform's Request.",
  },
  {
    file: 'request/request-init-contenttype.any.js',
    subtests: [
      ...contentTypes.flatMap(([name, make, expected]) => [
        subtest(`the Content-Type of ${name}`, async context => {
          const body = make();
          const { headers } = await shown(context, body === undefined ? { method: 'POST' } : streamed(body));
          equal(headers['content-type'], expected);
        }),
        subtest(`the caller's Content-Type for ${name}`, async context => {
          const body = make();
          const headers = { 'content-type': type };
          const seen = await shown(
            context,
            body === undefined ? { method: 'POST', headers } : streamed(body, { headers }),
          );
          equal(seen.headers['content-type'], type);
        }),
      ]),
      subtest('the boundary of a FormData is that of its Content-Type', async context => {
        const { body, headers } = await shown(context, { method: 'POST', body: formData() });
        equal(headers['content-type'], `multipart/form-data; boundary=${body.split('\r\n')[0]?.slice(2)}`);
      }),
      subtest("the caller's Content-Type for a FormData", async context => {
        const seen = await shown(context, {
          method: 'POST',
          body: formData(),
          headers: { 'content-type': type },
        });
        equal(seen.headers['content-type'], type);
      }),
    ],
  },
  {
    file: 'request/request-init-002.any.js',
    subtests: [
      subtest('headers arrive', async context => {
        const { headers } = await shown(context, {
          headers: new Headers({ name1: 'value1', name2: 'value2' }),
        });
        equal([headers.name1, headers.name2], ['value1', 'value2']);
      }),
      ...inits.map(([name, make, expectedType, text]) =>
        subtest(`the body ${name}`, async context => {
          const { fetch, origin } = context;
          const body = make() ?? null;
          const seen = await shown(context, { method: 'POST', body });
          equal(
            [seen.headers['content-type']?.replace(/;.*boundary.*/, ''), seen.body.includes(text)],
            [expectedType, true],
          );
          if (!body) equal((await fetch(`${origin}/show`, { body })).status, 200);
          else
            for (const method of ['GET', 'HEAD'])
              await typeError(fetch(origin, { method, body: make() ?? null }));
        }),
      ),
    ],
  },
  { file: 'request/request-init-stream.any.js', subtests: streamCases },
  {
    file: 'request/request-keepalive.any.js',
    subtests: [
      subtest('no stream with keepalive', ({ fetch, origin }) =>
        typeError(fetch(`${origin}/show`, streamed(streamOf(), { keepalive: true }))),
      ),
    ],
    without: "The other one asks the platform's Request.",
  },
  {
    file: 'request/request-cache-default-conditional.any.js',
    subtests: conditional.map(name =>
      subtest(`${name} makes it no-store`, async context =>
        equal(await cacheFields(context, { headers: { [name]: 'x' } }), noCache),
      ),
    ),
    without: 'What the cache does before and after is left out: there is none.',
  },
  ...(
    [
      ['no-store', noCache],
      ['reload', noCache],
      ['no-cache', [undefined, 'max-age=0']],
      ['force-cache', [undefined, undefined]],
      ['default', [undefined, undefined]],
    ] as [RequestCache, string[]][]
  ).map(([cache, expected]) => ({
    file: `request/request-cache-${cache}.any.js`,
    subtests: [
      subtest(`${cache} goes to the server`, async context =>
        equal(await cacheFields(context, { cache }), expected),
      ),
    ],
    without: 'What the cache does before and after is left out: there is none.',
  })),
  {
    file: 'request/request-cache-only-if-cached.any.js',
    subtests: [
      subtest('only-if-cached, and nothing is', ({ fetch, origin }) =>
        typeError(fetch(`${origin}/show`, { cache: 'only-if-cached', mode: 'same-origin' })),
      ),
    ],
    without: 'In the others something is cached.',
  },
];
