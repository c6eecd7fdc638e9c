import { equal, type Shown, shown, typeError } from '../case.js';
import { bodies } from './bodies.js';
import { reasons } from './reasons.js';
import { type Difference, type Need, subtest, unusualMethod, type WptFile } from './subtest.js';

const settable = (name: string): Difference => ({
  shows: name,
  reason: reasons.settable,
});
const noOrigin: Difference = {
  shows: 'Origin',
  reason: reasons.origin,
};

const zeroLength: Difference = {
  shows: 'Content-Length',
  reason: reasons.zeroLength,
};

/** Names that a browser keeps for itself, with what is tried; `true`: here as well. */
const forbidden: [string, string, boolean][] = [
  ['Accept-Charset', 'utf-8', false],
  ['Accept-Encoding', '', false],
  ['Access-Control-Request-Headers', '', false],
  ['Access-Control-Request-Method', '', false],
  ['Connection', 'close', true],
  ['Content-Length', '42', true],
  ['Cookie', 'cookie=none', false],
  ['Cookie2', 'cookie2=none', false],
  ['Date', 'Wed, 04 May 1988 22:22:22 GMT', false],
  ['DNT', '4', false],
  ['Expect', '100-continue', true],
  ['Host', 'http://wrong-host.com', true],
  ['Keep-Alive', 'timeout=15', true],
  ['Origin', 'http://wrong-origin.com', false],
  ['Referer', 'http://wrong-referer.com', false],
  ['TE', 'trailers', false],
  ['Trailer', 'Accept', true],
  ['Transfer-Encoding', 'chunked', true],
  ['Upgrade', 'HTTP/2.0', true],
  ['Via', '1.1 nowhere.com', false],
  ['Proxy-', 'value', false],
  ['Proxy-Test', 'value', false],
  ['Sec-', 'value', false],
  ['Sec-Test', 'value', false],
];
const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override'].flatMap(name => [
  name,
  name.toUpperCase(),
]);
const forbiddenMethods = [
  'TRACE',
  'TRACK',
  'CONNECT',
  'trace',
  'track',
  'connect',
  'trace,',
  'GET,track ',
  ' connect',
];
const allowedMethods = ['GETTRACE', 'GET', '",TRACE",'];

const lastOf = (name: string, { headers }: Shown) => headers[name.toLowerCase()];

const forbiddenCases = [
  ...forbidden,
  ...overrides.flatMap(name => forbiddenMethods.map(value => [name, value, false] as const)),
].map(([name, value, kept]) =>
  subtest(
    `${name}: ${value} is not sent`,
    async context => {
      const sent = lastOf(name, await shown(context, { headers: { [name]: value } }));
      equal(sent === value.trim() && sent !== undefined, false, name);
    },
    { differs: kept ? undefined : settable(name) },
  ),
);

interface Expected {
  needs?: Need;
  differs?: Difference;
  body?: BodyInit | null;
  length?: string | undefined;
  type?: string | undefined;
  origin?: boolean;
}

/** A request with its body's length and type, and an Origin unless it only reads. */
const described = (name: string, method: string | undefined, expect: () => Expected) =>
  subtest(
    `${name}: its headers`,
    async context => {
      const { body, length, type } = expect();
      const init = { method: method ?? unusualMethod(context), ...(body && { body }) };
      const response = await context.fetch(`${context.origin}/tell`, init);
      const { headers } = JSON.parse(decodeURIComponent(response.headers.get('x-came') ?? '')) as Shown;
      equal([response.status, response.type], [200, 'basic'], 'response');
      equal(headers['user-agent'] === undefined, globalThis.navigator === undefined, 'User-Agent');
      equal(headers['accept-charset'], undefined, 'Accept-Charset');
      if (length !== 'any') equal(headers['content-length'], length, 'Content-Length');
      equal(headers['content-type']?.replace(/boundary=.*/, 'boundary='), type, 'Content-Type');
      equal(headers.origin !== undefined, expect().origin !== false, 'Origin');
    },
    {
      differs: expect().origin === false ? undefined : (expect().differs ?? noOrigin),
      ...(expect().needs && { needs: expect().needs as Need }),
    },
  );

const text = { body: "Request's body", length: '14', type: 'text/plain;charset=UTF-8' };

const originCases = (
  [
    ['GET', 'cors', false],
    ['POST', 'same-origin', true],
    ['POST', 'no-cors', true],
    ['PUT', 'same-origin', true],
    [undefined, 'same-origin', true],
    [undefined, 'cors', true],
  ] as const
).map(([method, mode, sent]) =>
  subtest(
    `${method ?? 'an unusual method'} in the mode ${mode} has ${sent ? 'an' : 'no'} Origin`,
    async context => {
      const seen = await shown(context, { method: method ?? unusualMethod(context), mode });
      equal(seen.headers.origin !== undefined, sent, 'Origin');
    },
    { differs: sent ? noOrigin : undefined, ...(mode === 'same-origin' && { needs: 'own origin' }) },
  ),
);

export const basicRequestFiles: WptFile[] = [
  {
    file: 'basic/accept-header.any.js',
    subtests: [
      subtest('Accept is */*', async context => equal((await shown(context)).headers.accept, '*/*')),
      subtest("the caller's Accept", async context =>
        equal((await shown(context, { headers: [['Accept', 'custom/*']] })).headers.accept, 'custom/*'),
      ),
      subtest(
        'Accept-Language is there',
        async context => equal(typeof (await shown(context)).headers['accept-language'], 'string'),
        { needs: 'browser' },
      ),
      subtest("the caller's Accept-Language", async context => {
        const { headers } = await shown(context, { headers: [['Accept-Language', 'bzh']] });
        equal(headers['accept-language'], 'bzh');
      }),
    ],
  },
  {
    file: 'basic/request-forbidden-headers.any.js',
    subtests: [
      ...forbiddenCases,
      ...overrides.flatMap(name =>
        allowedMethods.map(value =>
          subtest(`${name}: ${value} is sent`, async context =>
            equal(lastOf(name, await shown(context, { headers: { [name]: value } })), value),
          ),
        ),
      ),
    ],
  },
  {
    file: 'basic/request-private-network-headers.tentative.any.js',
    subtests: [
      subtest(
        'Access-Control-Request-Private-Network is not sent',
        async context => {
          const name = 'access-control-request-private-network';
          equal((await shown(context, { headers: { [name]: '' } })).headers[name], undefined, name);
        },
        { differs: settable('access-control-request-private-network') },
      ),
    ],
    without: "The other one asks the platform's Request.",
  },
  {
    file: 'basic/request-head.any.js',
    subtests: [
      subtest('a HEAD with a body', ({ fetch, origin }) =>
        typeError(fetch(origin, { method: 'HEAD', body: 'test' })),
      ),
    ],
  },
  {
    file: 'basic/request-headers.any.js',
    subtests: [
      described('a GET', 'GET', () => ({ origin: false })),
      described('a HEAD', 'HEAD', () => ({ origin: false })),
      described('a PUT without a body', 'PUT', () => ({ length: '0' })),
      described('a PUT with a body', 'PUT', () => text),
      described('a POST without a body', 'POST', () => ({ length: '0' })),
      ...bodies.map(({ name, make, length, type }) =>
        described(`a POST of ${name}`, 'POST', () => ({ body: make(), length, type })),
      ),
      described('an unusual method', undefined, () => ({ needs: 'http/1.1' })),
      described('an unusual method over HTTP/2', undefined, () => ({ needs: 'h2', differs: zeroLength })),
      described('an unusual method with a body', undefined, () => text),
      ...originCases,
    ],
  },
  {
    file: 'basic/request-headers-case.any.js',
    subtests: ['THIS-is-A-test', 'THIS-IS-A-TEST'].map(first =>
      subtest(`two headers that differ in case alone, ${first} first`, async context => {
        const headers: [string, string][] = [
          [first, '1'],
          ['this-IS-a-TEST', '2'],
        ];
        equal((await shown(context, { headers })).headers['this-is-a-test'], '1, 2');
      }),
    ),
    without:
      'The case of the first name is not kept: HTTP/2 has none, and this library sends all in lower case.',
  },
  {
    file: 'basic/request-headers-nonascii.any.js',
    subtests: [
      subtest('values beyond ASCII', async context => {
        const headers = { Accept: 'before-\u00e6\u00f8\u00e5-after', 'X-Test': 'before-\u00df-after' };
        const seen = await shown(context, { headers });
        equal([seen.headers.accept, seen.headers['x-test']], Object.values(headers));
      }),
    ],
  },
];
