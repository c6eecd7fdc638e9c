/** What `new Request` refuses, as in request/request-error.js: a name, an address (empty: the server's), and an init. */
export const requestErrors: [string, string, Record<string, unknown>][] = [
  ['a window', '', { window: 'http://test.url' }],
  ['an address that is none', 'http://:not a valid URL', {}],
  ['an address with a password', 'https://user:pass@test.url', {}],
  ['the mode navigate', '', { mode: 'navigate' }],
  ['a referrer that is none', '', { referrer: 'http://:not a valid URL' }],
  ['a method that is none', '', { method: 'IN VALID' }],
  ['a forbidden method', '', { method: 'TRACE' }],
  ['a PUT in the mode no-cors', '', { mode: 'no-cors', method: 'PUT' }],
  ['only-if-cached in the mode cors', '', { mode: 'cors', cache: 'only-if-cached' }],
  ['only-if-cached, cors, with a path', '/test', { cache: 'only-if-cached', mode: 'cors' }],
  ['only-if-cached, no-cors, with a path', '/test', { cache: 'only-if-cached', mode: 'no-cors' }],
  ...['referrerPolicy', 'mode', 'credentials', 'cache', 'redirect'].map(
    name => [`a bad ${name}`, '', { [name]: 'BAD' }] as [string, string, Record<string, unknown>],
  ),
];
