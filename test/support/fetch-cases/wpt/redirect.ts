import { type CaseContext, equal, redirectUrl, type Shown, typeError } from '../case.js';
import { bytesOf, streamed, streamOf } from './bodies.js';
import { reasons } from './reasons.js';
import { type Difference, subtest, type WptFile } from './subtest.js';

const STATUSES = [301, 302, 303, 307, 308];
const DATA_URL = 'data:text/plain;base64,cmVzcG9uc2UncyBib2R5';

const noCors: Difference = {
  shows: 'type',
  reason: reasons.cors,
};
const noOrigin: Difference = {
  shows: 'Origin',
  reason: reasons.origin,
};

async function isOpaqueRedirect(response: Response, url: string): Promise<void> {
  const { type, status, statusText, headers } = response;
  equal([type, status, statusText, [...headers].length, response.url], ['opaqueredirect', 0, '', 0, url]);
}

/** With and without a place to go to, which is one or not. */
const locationCases = STATUSES.flatMap(status => {
  const places: [string, string | undefined, number | 'error'][] = [
    ['without a Location', undefined, status],
    ['to another path', '/show', 200],
    ['to no address', 'invalidurl:', 'error'],
    ['to a data: address', DATA_URL, 'error'],
  ];
  return places.flatMap(([name, location, expected]) =>
    (location === undefined ? (['follow', 'manual'] as const) : (['follow', 'manual', 'error'] as const)).map(
      redirect =>
        subtest(`${status} ${name}, ${redirect}`, async ({ fetch, origin }) => {
          const url = redirectUrl(origin, status, location);
          const promise = fetch(url, { redirect });
          if (redirect === 'error' || (redirect === 'follow' && expected === 'error'))
            return typeError(promise);
          if (redirect === 'manual') return isOpaqueRedirect(await promise, url);
          equal((await promise).status, expected);
        }),
    ),
  );
});

interface Redirected {
  status: number;
  method: string;
  after: string;
  body?: () => BodyInit;
  text?: string;
  type?: string;
}

const posted = { method: 'POST', body: () => 'this is my body' };
const methodCases: Redirected[] = [
  ...[301, 302, 303, 307].flatMap(status => [
    { status, method: 'GET', after: 'GET' },
    { status, method: 'HEAD', after: 'HEAD' },
  ]),
  ...[301, 302, 303].map(status => ({ status, ...posted, after: 'GET' })),
  { status: 303, method: 'PROPPATCH', after: 'GET' },
  { status: 307, ...posted, after: 'POST', text: 'this is my body', type: 'text/plain;charset=UTF-8' },
  { status: 307, ...posted, body: () => new Blob(['a', ' ', 'blob']), after: 'POST', text: 'a blob' },
];

async function redirects({ fetch, origin }: CaseContext, expected: Redirected): Promise<void> {
  const { status, method, body, after, text, type } = expected;
  const headers = { 'Content-Encoding': 'Identity', 'Content-Language': 'en-US', 'Content-Location': 'foo' };
  const head = method === 'HEAD';
  const url = redirectUrl(origin, status, head ? '/tell' : '/show');
  const response = await fetch(url, { method, headers, ...(body && { body: body() }) });
  const seen = (
    head
      ? { ...JSON.parse(decodeURIComponent(response.headers.get('x-came') ?? '')), body: '' }
      : await response.json()
  ) as Shown;
  equal([response.status, response.type, response.redirected], [200, 'basic', true]);
  equal([seen.method, seen.body, seen.headers['content-type']], [after, text ?? '', type]);
  equal(seen.headers['content-length'], text && String(text.length));
  const kept = method === after;
  for (const [name, value] of Object.entries(headers))
    equal(seen.headers[name.toLowerCase()], kept ? value : undefined, name);
}

const modeCases = (['origin', 'other'] as const).flatMap(where =>
  STATUSES.flatMap(status =>
    (['error', 'manual', 'follow'] as const).flatMap(redirect =>
      (['cors', 'no-cors'] as const).map(mode => {
        const hidden = mode === 'no-cors' && where === 'other';
        return subtest(
          `${status} at ${where}, ${redirect}, ${mode}`,
          async context => {
            const url = redirectUrl(context[where], status, '/show');
            const promise = context.fetch(url, { redirect, mode });
            if (redirect === 'error' || (hidden && redirect === 'manual')) return typeError(promise);
            const response = await promise;
            if (redirect === 'manual') return isOpaqueRedirect(response, url);
            if (hidden) return equal(response.type, 'opaque', 'type');
            equal([response.status, response.url], [200, `${context[where]}/show`]);
          },
          {
            differs:
              hidden && redirect !== 'error'
                ? { ...noCors, shows: redirect === 'manual' ? 'it did not reject' : 'type' }
                : undefined,
          },
        );
      }),
    ),
  ),
);

/** Whether a browser sends an Origin at the end of each way; a GET does only to another origin. */
const originCases = STATUSES.flatMap(status =>
  (['GET', 'POST'] as const).flatMap(method =>
    (
      [
        ['origin', 'origin', false],
        ['origin', 'other', true],
        ['other', 'other', true],
        ['other', 'origin', true],
      ] as const
    ).map(([from, to, sent]) =>
      subtest(
        `${method}, ${status} from ${from} to ${to}`,
        async context => {
          const url = redirectUrl(context[from], status, `${context[to]}/show`);
          const { headers } = await (await context.fetch(url, { method, mode: 'cors' })).json();
          equal(headers.origin !== undefined, sent, 'Origin');
        },
        { needs: 'own origin', differs: sent ? noOrigin : undefined },
      ),
    ),
  ),
);

const escapes: [string, string, string][] = [
  ['escaped UTF-8', '/show?%E2%98%83%e2%98%83', '/show?%E2%98%83%e2%98%83'],
  ['UTF-8', '/show?\u00e2\u0098\u0083', '/show?%E2%98%83'],
  ['both', '/show?\u00e2\u0098\u0083%e2%98%83', '/show?%E2%98%83%e2%98%83'],
  ['a percent sign before UTF-8', '/show?%\u00e2\u0098\u0083', '/show?%%E2%98%83'],
  ['what is no UTF-8', '/show?\u00ff', '/show?%FF'],
];

export const redirectFiles: WptFile[] = [
  {
    file: 'redirect/redirect-back-to-original-origin.any.js',
    subtests: (['no-cors', 'cors'] as const).map(mode =>
      subtest(
        `away and back in the mode ${mode}`,
        async ({ fetch, origin, other }) => {
          const { type } = await fetch(redirectUrl(other, 303, `${origin}/show`), { mode });
          equal(type, mode === 'cors' ? 'cors' : 'opaque', 'type');
        },
        { differs: noCors },
      ),
    ),
  },
  {
    file: 'redirect/redirect-count.any.js',
    subtests: STATUSES.flatMap(status => [
      subtest(`${status}, 20 times`, async ({ fetch, origin }) =>
        equal((await fetch(redirectUrl(origin, status, '/show', 20))).status, 200),
      ),
      subtest(`${status}, 21 times`, ({ fetch, origin }) =>
        typeError(fetch(redirectUrl(origin, status, '/show', 21))),
      ),
    ]),
  },
  {
    file: 'redirect/redirect-empty-location.any.js',
    subtests: [
      subtest('to nowhere, followed', ({ fetch, origin }) => typeError(fetch(redirectUrl(origin, 302, '')))),
      subtest('to nowhere, by hand', async ({ fetch, origin }) => {
        const url = redirectUrl(origin, 302, '');
        await isOpaqueRedirect(await fetch(url, { redirect: 'manual' }), url);
      }),
    ],
  },
  {
    file: 'redirect/redirect-location-escape.tentative.any.js',
    subtests: escapes.map(([name, location, path]) =>
      subtest(name, async ({ fetch, origin }) =>
        equal((await fetch(redirectUrl(origin, 302, location))).url, origin + path),
      ),
    ),
  },
  { file: 'redirect/redirect-location.any.js', subtests: locationCases },
  {
    file: 'redirect/redirect-method.any.js',
    subtests: [
      subtest('what is not redirected', async ({ fetch, origin }) => {
        const { status, redirected } = await fetch(`${origin}/show`);
        equal([status, redirected], [200, false]);
      }),
      ...methodCases.map(expected =>
        subtest(`${expected.status} with ${expected.method} ${expected.text ?? ''}`, context =>
          redirects(context, expected),
        ),
      ),
    ],
  },
  {
    file: 'redirect/redirect-mode.any.js',
    subtests: [
      ...modeCases,
      subtest(
        'what CORS does not allow is an error, by hand as well',
        ({ fetch, origin, other }) =>
          typeError(fetch(redirectUrl(other, 302, `${origin}/show`), { redirect: 'manual' })),
        { differs: { ...noCors, shows: 'it did not reject' } },
      ),
    ],
  },
  { file: 'redirect/redirect-origin.any.js', subtests: originCases },
  {
    file: 'redirect/redirect-schemes.any.js',
    subtests: [
      'mailto:a@a.com',
      'data:,HI',
      'facetime:a@a.org',
      'about:blank',
      'about:unicorn',
      'blob:djfksfjs',
    ].map(location =>
      subtest(`to ${location}`, ({ fetch, origin }) => typeError(fetch(redirectUrl(origin, 302, location)))),
    ),
  },
  {
    file: 'redirect/redirect-to-dataurl.any.js',
    subtests: (
      [
        ['origin', 'cors'],
        ['origin', 'no-cors'],
        ['origin', 'same-origin'],
        ['other', 'cors'],
        ['other', 'no-cors'],
      ] as const
    ).map(([where, mode]) =>
      subtest(`from ${where} in the mode ${mode}`, context =>
        typeError(context.fetch(redirectUrl(context[where], 302, DATA_URL), { mode })),
      ),
    ),
  },
  {
    file: 'redirect/redirect-upload.h2.any.js',
    subtests: [
      subtest('303 of a stream', async ({ fetch, origin }) => {
        const response = await fetch(redirectUrl(origin, 303, '/show'), streamed(streamOf(bytesOf('Test'))));
        equal([response.status, response.url], [200, `${origin}/show`]);
      }),
      ...[301, 302, 307, 308].map(status =>
        subtest(`${status} of a stream`, ({ fetch, origin }) =>
          typeError(fetch(redirectUrl(origin, status, '/show'), streamed(streamOf(bytesOf('Test'))))),
        ),
      ),
    ],
  },
];
