import { answerUrl, type CaseContext, equal, failure, typeError } from '../case.js';
import { reasons } from './reasons.js';
import { newKey, subtest, type WptFile } from './subtest.js';

/** The very text of a response, over HTTP/1.1. */
export function rawUrl({ http1 }: CaseContext, ...lines: string[]): string {
  return `${http1}/raw?${new URLSearchParams({ text: `HTTP/1.1 200 OK\r\n${lines.join('\r\n')}` })}`;
}

const combined: [string, string, string[]][] = [
  ['content-length', '0', ['content-length: 0']],
  ['content-length', '0, 0', ['content-length: 0', 'content-length: 0']],
  ['double-trouble', ', ', ['double-trouble:', 'double-trouble:']],
  ['foo-test', '1, 2, 3', ['foo-test: 1', 'foo-test: 2', 'foo-test: 3']],
  ['heya', ', \v\f, 1, , , 2', ['heya:', 'heya: \v\f', 'heya: 1', 'heya:', 'heya:', 'heya: 2']],
  [
    'www-authenticate',
    '1, 2, 3, 4',
    ['www-authenticate: 1, 2', 'www-authenticate: 3', 'www-authenticate: 4'],
  ],
];

const nullBodyCases = [204, 205, 304].flatMap(status =>
  ['GET', 'POST', 'OPTIONS'].map(method =>
    subtest(`the body of a ${status} to a ${method} is null`, async ({ fetch, origin }) => {
      const response = await fetch(answerUrl(origin, { status, body: '' }), { method });
      equal([response.status, response.body, await response.text()], [status, null, '']);
    }),
  ),
);

const WITH_BOM = '\u00ef\u00bb\u00bf\u00e4\u00b8\u0089\u00e6\u009d\u0091';
const decoded: [string, string, string][] = [
  ['UTF-8 with a mark', WITH_BOM, '\u4e09\u6751'],
  ['UTF-8', WITH_BOM.slice(3), '\u4e09\u6751'],
  ['UTF-16BE with a mark', '\u00fe\u00ff\u004e\u0009\u0067\u0051', '\ufffd\ufffdN\tgQ'],
  ['UTF-16LE with a mark', '\u00ff\u00fe\u0009\u004e\u0051\u0067', '\ufffd\ufffd\tNQg'],
  ['UTF-16', '\u00e6\0\u00f8\0\u000a\0', '\ufffd\0\ufffd\0\n\0'],
];

/** Names of Object.prototype, each as an accessor that throws, and as a value that no stream can have. */
const polluted = ['start', 'type', 'size', 'highWaterMark'];

const pollutionCases = ['fetch', 'consuming a response'].flatMap(what => [
  ...polluted.map(name =>
    polluting(`${what} with a throwing Object.prototype.${name}`, what, name, {
      get() {
        throw new Error(`Object.prototype.${name} was used`);
      },
    }),
  ),
  ...polluted.map(name =>
    polluting(`${what} with an Object.prototype.${name} of -1`, what, name, { value: -1, writable: true }),
  ),
  polluting(`${what} with an Object.prototype.start that fails`, what, 'start', {
    value: (controller: ReadableStreamDefaultController) => controller.error(new Error('start')),
    writable: true,
  }),
]);

function polluting(name: string, what: string, property: string, descriptor: PropertyDescriptor) {
  return subtest(
    name,
    async ({ fetch, origin }) => {
      const asked = what === 'fetch' ? undefined : await fetch(answerUrl(origin, { body: '@' }));
      Object.defineProperty(Object.prototype, property, { ...descriptor, configurable: true });
      try {
        const response = asked ?? (await fetch(answerUrl(origin, { body: '@' })));
        equal(await response.text(), '@');
      } finally {
        delete (Object.prototype as unknown as Record<string, unknown>)[property];
      }
    },
    { needs: 'browser' },
  );
}

export const basicResponseFiles: WptFile[] = [
  {
    file: 'basic/error-after-response.any.js',
    subtests: (['read', 'closed'] as const).map(what =>
      subtest(`a response that breaks off: reader.${what}`, async context => {
        const chunked = ['transfer-encoding: chunked', '', 'A', 'TEST_CHUNK', ''];
        const key = newKey();
        const response = await context.fetch(`${rawUrl(context, ...chunked)}&key=${key}`);
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        const { value } = await reader.read();
        equal(new TextDecoder().decode(value), 'TEST_CHUNK');
        await context.fetch(`${context.http1}/raw-end?key=${key}&text=garbage%0D%0A`);
        await typeError(what === 'read' ? reader.read() : reader.closed);
      }),
    ),
  },
  {
    file: 'basic/header-value-combining.any.js',
    subtests: combined.map(([name, value, lines]) =>
      subtest(`${lines.length} of ${name} become ${JSON.stringify(value)}`, async context => {
        const length = name === 'content-length' ? [] : ['content-length: 0'];
        const response = await context.fetch(rawUrl(context, ...lines, ...length, '', ''));
        equal(response.headers.get(name), value);
      }),
    ),
  },
  {
    file: 'basic/header-value-null-byte.any.js',
    subtests: [
      subtest('a NUL in a header of the response', context =>
        typeError(context.fetch(rawUrl(context, 'my-custom-header: x\0x', 'content-length: 0', '', ''))),
      ),
    ],
  },
  {
    file: 'basic/http-response-code.any.js',
    subtests: [
      subtest('a 425 is not retried', async ({ fetch, origin }) => {
        const response = await fetch(`${origin}/count?key=${newKey()}&status=425`);
        equal([response.status, await response.text()], [425, '1']);
      }),
    ],
  },
  {
    file: 'basic/response-null-body.any.js',
    subtests: [
      ...nullBodyCases,
      subtest('the body of a HEAD is null', async ({ fetch, origin }) => {
        const response = await fetch(answerUrl(origin, { body: 'hello' }), { method: 'HEAD' });
        equal([response.status, response.body, await response.text()], [200, null, '']);
      }),
      subtest('a 204 does not have the integrity of a body', ({ fetch, origin }) =>
        typeError(fetch(answerUrl(origin, { status: 204 }), { integrity: 'sha256-AAAA' })),
      ),
    ],
  },
  {
    file: 'basic/response-url.sub.any.js',
    subtests: (
      [
        ['/ada', '/ada'],
        ['/#', '/'],
        ['/#ada', '/'],
        ['#ada', '/'],
      ] as const
    ).map(([path, shown]) =>
      subtest(`the url of ${path}`, async ({ fetch, origin }) =>
        equal((await fetch(origin + path)).url, origin + shown),
      ),
    ),
  },
  {
    file: 'basic/status.h2.any.js',
    subtests: [200, 210, 400, 404, 410, 500, 502].map(status =>
      subtest(
        `a ${status} over HTTP/2 has no reason`,
        async ({ fetch, origin }) => {
          const response = await fetch(answerUrl(origin, { status }));
          equal([response.status, response.statusText], [status, '']);
        },
        { needs: 'h2' },
      ),
    ),
  },
  {
    file: 'basic/stream-response.any.js',
    subtests: ['type', 'none'].map(type =>
      subtest(`a body comes in pieces (Content-Type: ${type})`, async ({ fetch, origin }) => {
        const response = await fetch(`${origin}/trickle?count=5&${type}`);
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        let pieces = 0;
        while (!(await reader.read()).done) pieces++;
        equal(pieces >= 2, true, 'more than one piece');
      }),
    ),
  },
  {
    file: 'basic/stream-safe-creation.any.js',
    subtests: pollutionCases,
    without: "The rest makes the platform's Request and Response.",
  },
  {
    file: 'basic/text-utf8.any.js',
    subtests: decoded.flatMap(([name, body, text]) =>
      ['UTF-8', 'UTF-16'].map(charset =>
        subtest(`${name}, said to be ${charset}, is decoded as UTF-8`, async ({ fetch, origin }) => {
          const headers = { 'content-type': `text/plain;charset=${charset}` };
          equal(await (await fetch(answerUrl(origin, { headers, body }))).text(), text);
        }),
      ),
    ),
    without: "The rest reads the platform's Request and Response.",
  },
  {
    file: 'basic/conditional-get.any.js',
    subtests: [
      subtest('the 304 to an If-None-Match of the caller is shown', async ({ fetch, origin }) => {
        const response = await fetch(answerUrl(origin, { status: 304 }), {
          headers: { 'if-none-match': '"x"' },
        });
        equal(response.status, 304);
      }),
    ],
    without: 'Its first half asks the cache, which there is none of.',
  },
];

async function hashes(text: string): Promise<Record<'sha256' | 'sha384' | 'sha512', string>> {
  const of = async (name: string) => {
    const digest = await crypto.subtle.digest(name, new TextEncoder().encode(text));
    return `${name.replace('SHA-', 'sha')}-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
  };
  return { sha256: await of('SHA-256'), sha384: await of('SHA-384'), sha512: await of('SHA-512') };
}

type Hashes = Awaited<ReturnType<typeof hashes>>;

const url64 = (hash: string) => `sha512-${hash.slice(7).replace(/\+/g, '-').replace(/\//g, '_')}`;
const integrities: [string, (right: Hashes, wrong: Hashes) => string, boolean][] = [
  ['nothing', () => '', true],
  ['SHA-256', right => right.sha256, true],
  ['SHA-384', right => right.sha384, true],
  ['SHA-512', right => right.sha512, true],
  ['SHA-512 without its padding', right => right.sha512.replace(/=+$/, ''), true],
  ['SHA-512 in base64url', right => url64(right.sha512), true],
  ['SHA-512 in base64url without its padding', right => url64(right.sha512).replace(/=+$/, ''), true],
  ['a wrong SHA-256', (_, wrong) => wrong.sha256, false],
  ['a wrong SHA-256 and a right SHA-384', (right, wrong) => `${wrong.sha256} ${right.sha384}`, true],
  ['a wrong SHA-512 and a right SHA-384', (right, wrong) => `${wrong.sha512} ${right.sha384}`, false],
  ['a wrong SHA-512 and a right one', (right, wrong) => `${wrong.sha512} ${right.sha512}`, true],
  ['two that are right', right => `${right.sha384} ${right.sha512}`, true],
  ['two that are wrong', (_, wrong) => `${wrong.sha256} ${wrong.sha512}`, false],
];

const integrityCases = (
  [
    ['origin', integrities],
    [
      'other',
      [
        integrities[0],
        integrities[3],
        ['a wrong SHA-512', (_: Hashes, wrong: Hashes) => wrong.sha512, false],
      ],
    ],
  ] as ['origin' | 'other', typeof integrities][]
).flatMap(([where, cases]) =>
  cases.map(([name, integrity, good]) =>
    subtest(`integrity at ${where}: ${name}`, async context => {
      const init = { integrity: integrity(await hashes('top'), await hashes('something else')) };
      const promise = context.fetch(answerUrl(context[where], { body: 'top' }), init);
      if (good) equal((await promise).status, 200);
      else equal((await failure(promise)).name, 'TypeError');
    }),
  ),
);

const noCors = { mode: 'no-cors' } as const;
const opaque = { shows: 'status', reason: reasons.cors };
basicResponseFiles.push({
  file: 'basic/integrity.sub.any.js',
  subtests: [
    ...integrityCases,
    subtest(
      'the integrity of an opaque response: nothing',
      async ({ fetch, other }) =>
        equal((await fetch(answerUrl(other, { body: 'top' }), noCors)).status, 0, 'status'),
      { differs: opaque },
    ),
    subtest(
      'the integrity of an opaque response: SHA-512',
      async ({ fetch, other }) => {
        const { sha512 } = await hashes('top');
        await typeError(fetch(answerUrl(other, { body: 'top' }), { ...noCors, integrity: sha512 }));
      },
      { differs: { ...opaque, shows: 'it did not reject' } },
    ),
  ],
});
