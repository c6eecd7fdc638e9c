import {
  type CaseContext,
  equal,
  type FetchCase,
  failure,
  fetchCase,
  redirectUrl,
  typeError,
} from './case.js';

const statuses = [301, 302, 303, 307, 308];

/** The method that arrives when one is redirected. */
function methodAfter(status: number, method: string): string {
  if (status === 303) return method === 'HEAD' ? 'HEAD' : 'GET';
  return status < 303 && method === 'POST' ? 'GET' : method;
}

async function redirectedTo({ fetch, origin }: CaseContext, status: number, init: RequestInit) {
  return (await fetch(redirectUrl(origin, status, '/show'), init)).json();
}

export const redirectCases: FetchCase[] = [
  fetchCase('a redirect that is not followed has no body for integrity', ({ fetch, origin }) =>
    typeError(fetch(redirectUrl(origin, 302, '/show'), { redirect: 'manual', integrity: 'sha256-x' })),
  ),
  fetchCase('a redirect to two places is a TypeError', ({ fetch, http1 }) =>
    typeError(fetch(`${redirectUrl(http1, 302, '/show')}&second=/other`)),
  ),
  fetchCase('a redirect that names its place twice is followed', async ({ fetch, http1 }) =>
    equal((await fetch(`${redirectUrl(http1, 302, '/show')}&second=/show`)).redirected, true),
  ),
  ...statuses.flatMap(status =>
    ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'].map(method =>
      fetchCase(`${status} turns ${method} into ${methodAfter(status, method)}`, async context => {
        const body = method === 'GET' ? null : 'data';
        const seen = await redirectedTo(context, status, { method, body });
        const after = methodAfter(status, method);
        equal([seen.method, seen.body], [after, after === method && body ? body : '']);
      }),
    ),
  ),
  ...statuses.map(status =>
    fetchCase(`${status} keeps HEAD`, async ({ fetch, origin }) => {
      const response = await fetch(redirectUrl(origin, status, '/show'), { method: 'HEAD' });
      equal([response.status, response.redirected, await response.text()], [200, true, '']);
    }),
  ),
  ...statuses.flatMap(status => [
    fetchCase(`${status} with redirect "error" is a TypeError`, ({ fetch, origin }) =>
      typeError(fetch(redirectUrl(origin, status, '/show'), { redirect: 'error' })),
    ),
    fetchCase(`${status} with redirect "manual" is opaque`, async ({ fetch, origin }) => {
      const url = redirectUrl(origin, status, '/show');
      const {
        type,
        status: shownStatus,
        statusText,
        ok,
        body,
        redirected,
        headers,
        ...rest
      } = await fetch(url, {
        redirect: 'manual',
      }).then(it => ({
        type: it.type,
        status: it.status,
        statusText: it.statusText,
        ok: it.ok,
        body: it.body,
        redirected: it.redirected,
        headers: [...it.headers],
        url: it.url,
      }));
      equal(
        [type, shownStatus, statusText, ok, body, redirected],
        ['opaqueredirect', 0, '', false, null, false],
      );
      equal([headers, rest.url], [[], url]);
    }),
    fetchCase(`${status} without Location is the response`, async ({ fetch, origin }) => {
      const response = await fetch(redirectUrl(origin, status));
      equal([response.status, response.redirected, await response.text()], [status, false, 'moved']);
    }),
  ]),
  ...[201, 300, 304, 305, 306].map(status =>
    fetchCase(`${status} is no redirect`, async ({ fetch, origin }) =>
      equal((await fetch(redirectUrl(origin, status, '/show'))).status, status),
    ),
  ),
  ...[301, 307].flatMap(status => [
    fetchCase(`${status}, 20 times, is followed`, async ({ fetch, origin }) =>
      equal((await fetch(redirectUrl(origin, status, '/show', 20))).status, 200),
    ),
    fetchCase(`${status}, 21 times, is a TypeError`, ({ fetch, origin }) =>
      typeError(fetch(redirectUrl(origin, status, '/show', 21))),
    ),
  ]),
  ...[301, 302, 307, 308].map(status =>
    fetchCase(`${status} with a streamed body is a TypeError`, ({ fetch, origin }) => {
      const body = new Blob(['x']).stream();
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
      return typeError(fetch(redirectUrl(origin, status, '/show'), init));
    }),
  ),
  fetchCase('303 with a streamed body is followed', async context => {
    const body = new Blob(['x']).stream();
    equal(
      (await redirectedTo(context, 303, { method: 'POST', body, duplex: 'half' } as RequestInit)).method,
      'GET',
    );
  }),
  ...['content-encoding', 'content-language', 'content-location', 'content-type'].map(name =>
    fetchCase(`${name} goes with the body that is dropped`, async context => {
      const init = { method: 'POST', body: 'x', headers: { [name]: 'x-mine' } };
      equal((await redirectedTo(context, 302, init)).headers[name], undefined);
      equal((await redirectedTo(context, 307, init)).headers[name], 'x-mine');
    }),
  ),
  ...[
    'data:,x',
    'blob:https://localhost/x',
    'http://localhost/',
    'ftp://localhost/',
    'mailto:a@b',
    'javascript:1',
    'https://[',
    'https://user:password@localhost/',
  ].map(location =>
    fetchCase(`a redirect to ${location} is a TypeError`, ({ fetch, origin }) =>
      typeError(fetch(redirectUrl(origin, 302, location))),
    ),
  ),
  ...(
    [
      ['/show?relative', '/show?relative'],
      ['show?same-folder', '/show?same-folder'],
      ['?location=&status=200', '/redirect?location=&status=200'],
      ['./../show', '/show'],
    ] as const
  ).map(([location, path]) =>
    fetchCase(`the Location ${location} is relative to the address`, async ({ fetch, origin }) =>
      equal((await fetch(redirectUrl(origin, 302, location))).url, origin + path),
    ),
  ),
  fetchCase('an address without a scheme keeps the scheme', async ({ fetch, origin, other }) =>
    equal(
      (await fetch(redirectUrl(origin, 302, other.replace('https:', '').concat('/show')))).url,
      `${other}/show`,
    ),
  ),
  fetchCase('redirected and url say where it ended', async ({ fetch, origin, other }) => {
    const response = await fetch(redirectUrl(origin, 302, redirectUrl(other, 307, `${origin}/show#end`)));
    equal([response.redirected, response.url], [true, `${origin}/show`]);
  }),
  fetchCase('what is not redirected says so', async ({ fetch, origin }) =>
    equal((await fetch(`${origin}/show`)).redirected, false),
  ),
  ...['authorization', 'cookie', 'proxy-authorization'].flatMap(name => [
    fetchCase(`${name} does not go to another origin`, async ({ fetch, origin, other }) => {
      const response = await fetch(redirectUrl(origin, 302, `${other}/show`), {
        headers: { [name]: 'secret' },
      });
      equal((await response.json()).headers[name], undefined);
    }),
    fetchCase(`${name} does not come back from another origin`, async ({ fetch, origin, other }) => {
      const url = redirectUrl(origin, 302, redirectUrl(other, 302, `${origin}/show`));
      const response = await fetch(url, { headers: { [name]: 'secret' } });
      equal((await response.json()).headers[name], undefined);
    }),
  ]),
  fetchCase('authorization stays within an origin', async context => {
    const seen = await redirectedTo(context, 302, { headers: { authorization: 'secret' } });
    equal(seen.headers.authorization, 'secret');
  }),
  fetchCase('other headers go to another origin', async ({ fetch, origin, other }) => {
    const response = await fetch(redirectUrl(origin, 302, `${other}/show`), { headers: { 'x-mine': '1' } });
    equal((await response.json()).headers['x-mine'], '1');
  }),
  fetchCase('an abort ends a chain of redirects', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const failed = failure(fetch(redirectUrl(origin, 302, '/never'), { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 50);
    equal((await failed) === reason, true);
  }),
];
