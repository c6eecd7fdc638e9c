import { describe, expect, it } from 'vitest';
import type { FetchRequest } from '../../../../src/fetch/request/fetch-request.js';
import { isRedirect, redirected } from '../../../../src/fetch/request/redirect.js';

const here = new URL('https://a.example/dir/page?query#part');
const body = { replayable: true } as FetchRequest['body'];

function requestOf(changes: Partial<FetchRequest> = {}): FetchRequest {
  return {
    method: 'GET',
    url: here,
    headers: new Headers({
      accept: '*/*',
      authorization: 'secret',
      cookie: 'a=b',
      'content-type': 'text/plain',
    }),
    body: undefined,
    credentials: 'include',
    redirect: 'follow',
    referrer: undefined,
    sameOriginOnly: false,
    integrity: '',
    signal: undefined,
    ...changes,
  };
}

const headOf = (status: number, ...locations: string[]) => ({
  status,
  statusText: '',
  headers: locations.map((location): [string, string] => ['location', location]),
});

it('the statuses of redirects are 301, 302, 303, 307 and 308', () => {
  const statuses = Array.from({ length: 500 }, (_, at) => 100 + at);
  expect(statuses.filter(status => isRedirect(headOf(status)))).toEqual([301, 302, 303, 307, 308]);
});

describe('the method', () => {
  it.each<[number, string, string]>([
    ...[301, 302].flatMap((status): [number, string, string][] => [
      [status, 'POST', 'GET'],
      [status, 'PUT', 'PUT'],
      [status, 'HEAD', 'HEAD'],
    ]),
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
  ])('%i makes %s %s', (status, before, after) => {
    const next = redirected(requestOf({ method: before, body }), headOf(status, '/'));
    expect(next?.method).toBe(after);
    expect(next?.body).toBe(before === after ? body : undefined);
    expect(next?.headers.has('content-type')).toBe(before === after);
  });
});

it.each([
  ['https://a.example/other', true],
  ['https://a.example:443/', true],
  ['https://a.example:8443/', false],
  ['https://b.example/', false],
])('to %s, fields for one server alone are sent: %s', (location, sent) => {
  const request = requestOf();
  const next = redirected(request, headOf(307, location));
  expect(next?.url.href).toBe(new URL(`${location}#part`).href);
  expect(['authorization', 'cookie'].map(name => next?.headers.has(name))).toEqual([sent, sent]);
  expect(next?.headers.get('accept')).toBe('*/*');
  expect(request.headers.get('cookie')).toBe('a=b');
});

it.each([
  ['other', 'https://a.example/dir/other#part'],
  ['?new', 'https://a.example/dir/page?new#part'],
  ['/#own', 'https://a.example/#own'],
  // Latin-1, as fields are read: the octets of UTF-8 and of others.
  ['/\xc3\xa9\xff', 'https://a.example/%C3%A9%FF#part'],
])('Location: %s leads to %s', (location, address) => {
  expect(redirected(requestOf(), headOf(302, location))?.url.href).toBe(address);
});

it('a response without Location leads nowhere, one that has it twice leads there', () => {
  expect(redirected(requestOf(), headOf(302))).toBeUndefined();
  expect(redirected(requestOf(), headOf(302, '/x', '/x'))?.url.pathname).toBe('/x');
});

it.each<[string, string[], Partial<FetchRequest>]>([
  ['to two places', ['/x', '/y'], {}],
  ['to what is no URL', ['https://'], {}],
  ['to http:', ['http://a.example/'], {}],
  ['to data:', ['data:,x'], {}],
  ['with a password', ['https://ada:secret@a.example/'], {}],
  ['with a body that cannot be sent again', ['/'], { body: { replayable: false } as FetchRequest['body'] }],
])('a redirect %s is an error', (_, locations, changes) => {
  expect(() => redirected(requestOf({ method: 'POST', ...changes }), headOf(307, ...locations))).toThrow(
    expect.objectContaining({ code: 'ERR_HTTP_REDIRECT', message: expect.not.stringContaining('secret') }),
  );
});
