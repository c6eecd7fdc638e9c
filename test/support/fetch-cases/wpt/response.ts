import { answerUrl, type CaseContext, equal, failure, typeError } from '../case.js';
import { readers } from './abort.js';
import { subtest, type WptFile } from './subtest.js';

const JSON_BODY = '{"key": "value"}';
const asked = ({ fetch, origin }: CaseContext) => fetch(answerUrl(origin, { body: JSON_BODY }));
const trickle = ({ fetch, origin }: CaseContext) => fetch(`${origin}/trickle?count=5`);
const four = ['blob', 'text', 'json', 'arrayBuffer'] as const;
const readerOf = (response: Response) => (response.body as ReadableStream<Uint8Array>).getReader();

/** What is done to the body first, and what its reading methods do then. */
const disturbances: [number, string, (response: Response) => unknown, boolean][] = [
  [1, 'a reader that was let go', response => readerOf(response).releaseLock(), true],
  [2, 'a reader', readerOf, false],
  [3, 'a reader that reads', response => readerOf(response).read(), false],
  [4, 'a cancelled body', response => response.body?.cancel(), false],
];

const disturbedFiles: WptFile[] = disturbances.map(([number, name, disturb, good]) => ({
  file: `response/response-stream-disturbed-${number}.any.js`,
  subtests: four.map(method =>
    subtest(`${method}() after ${name}`, async context => {
      const response = await asked(context);
      disturb(response);
      if (!good) return typeError(response[method]());
      const value = await response[method]();
      equal(typeof value === 'string' ? value.length > 0 : typeof value === 'object', true);
    }),
  ),
  without: "The rest reads the platform's Response.",
}));

const empties: [string, Record<string, string>, string][] = [
  ['text', {}, ''],
  ['blob', {}, 'Blob'],
  ['arrayBuffer', {}, 'ArrayBuffer'],
  ['json', {}, 'SyntaxError'],
  ['formData', { 'content-type': 'multipart/form-data; boundary="boundary"' }, 'TypeError'],
  ['formData', { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }, 'FormData'],
  ['formData', {}, 'TypeError'],
];

const cancelCases: [string, (context: CaseContext) => Promise<void>][] = [
  ['at its beginning', async context => (await trickle(context)).body?.cancel()],
  [
    'while it comes',
    async context => {
      const reader = readerOf(await trickle(context));
      await reader.read();
      await reader.cancel();
    },
  ],
  [
    'at its end',
    async context => {
      const reader = readerOf(await asked(context));
      while (!(await reader.read()).done);
      await reader.cancel();
    },
  ],
];

/** UTF-8 of a no-break space, as Latin-1. */
const NBSP = '\u00c2\u00a0';
const part = (fields: string, content: string) =>
  `--boundary\r\nContent-Disposition: form-data; ${fields}\r\n\r\n${content}\r\n`;
const MULTIPART = [
  part('name=string', `value${NBSP}1`),
  part('name=typed\r\nContent-Type: text/plain; charset=iso-8859-1', `value${NBSP}2`),
  part(
    'name=file; filename=file1\r\nContent-Type: application/octet-stream; x-param=x-value',
    '\x05\0\u00ff',
  ),
  part('name="untyped"; filename="file2"', '\x06\0\x7f\u00ff'),
  '--boundary--\r\n',
].join('');

const consumeCases = [
  ...(['blob', 'text', 'arrayBuffer'] as const).map(method =>
    subtest(`${method}() of a response`, async ({ fetch, origin }) => {
      const response = await fetch(
        answerUrl(origin, { headers: { 'content-type': 'text/plain' }, body: 'top' }),
      );
      equal(response.bodyUsed, false);
      const value = await response[method]();
      equal([await new Response(value).text(), response.bodyUsed], ['top', true]);
      if (value instanceof Blob) equal(value.type, 'text/plain');
    }),
  ),
  subtest('formData() of another type', async ({ fetch, origin }) => {
    const response = await fetch(
      answerUrl(origin, { headers: { 'content-type': 'text/plain' }, body: 'top' }),
    );
    await typeError(response.formData());
    equal(response.bodyUsed, true);
  }),
  subtest(
    'formData() of several parts',
    async ({ fetch, origin }) => {
      const headers = { 'content-type': 'multipart/form-data; boundary="boundary"' };
      const data = await (await fetch(answerUrl(origin, { headers, body: MULTIPART }))).formData();
      equal([data.get('string'), data.get('typed')], ['value\u00a01', 'value\u00a02']);
      const [file, untyped] = [data.get('file') as File, data.get('untyped') as File];
      equal([file.name, untyped.name, untyped.type], ['file1', 'file2', 'text/plain']);
      equal([...new Uint8Array(await file.arrayBuffer())], [5, 0, 255]);
    },
    // The platform parses forms, and Node's parser knows no names without quotes.
    { needs: 'browser' },
  ),
];

export const responseFiles: WptFile[] = [
  ...disturbedFiles,
  {
    file: 'response/response-stream-disturbed-5.any.js',
    subtests: four.map(method =>
      subtest(`no reader after ${method}()`, async context => {
        const response = await asked(context);
        const read = response[method]();
        await typeError((async () => response.body?.getReader())());
        await read;
      }),
    ),
    without: "The rest reads the platform's Response.",
  },
  {
    file: 'response/response-cancel-stream.any.js',
    subtests: [
      ...cancelCases.map(([name, run]) => subtest(`a body is cancelled ${name}`, run)),
      subtest('a cancelled body stays the same', async context => {
        const response = await asked(context);
        const { body } = response;
        await body?.cancel();
        equal(response.body === body, true);
      }),
    ],
    without: "The rest cancels the platform's Response.",
  },
  {
    file: 'response/response-clone.any.js',
    subtests: [
      subtest('two clones read the same', async context => {
        const response = await trickle(context);
        const clone = response.clone();
        const text = await clone.text();
        equal([text.length > 0, await response.text()], [true, text]);
      }),
      subtest('cancelling one does nothing to the other', async context => {
        const response = await trickle(context);
        const clone = response.clone();
        // It is over when both are.
        void response.body?.cancel();
        equal([response.bodyUsed, clone.bodyUsed], [true, false]);
        equal([(await clone.arrayBuffer()).byteLength > 0, clone.bodyUsed], [true, true]);
      }),
      subtest('no clone of what has been read', async context => {
        const response = await asked(context);
        await response.text();
        await typeError((async () => response.clone())());
      }),
    ],
    without: "The rest clones the platform's Response.",
  },
  {
    file: 'response/response-consume-empty.any.js',
    subtests: empties.map(([method, headers, expected]) =>
      subtest(
        `${method}() of no body (${headers['content-type'] ?? 'no type'})`,
        async ({ fetch, origin }) => {
          const response = await fetch(answerUrl(origin, { status: 204, headers }));
          equal(response.bodyUsed, false);
          const read = response[method as 'text']() as Promise<unknown>;
          if (expected.endsWith('Error')) equal((await failure(read)).name, expected);
          else
            equal(
              ((await read) as object | '') === '' ? '' : ((await read) as object).constructor.name,
              expected,
            );
          equal(response.bodyUsed, false);
        },
      ),
    ),
    without: "The rest reads the platform's Response.",
  },
  {
    file: 'response/response-consume.html',
    subtests: consumeCases,
    without: "The rest reads the platform's Response.",
  },
  {
    file: 'response/response-headers-guard.any.js',
    subtests: (['append', 'set', 'delete'] as const).map(method =>
      subtest(`${method}() of a response's headers`, async context => {
        const { headers } = await asked(context);
        await typeError((async () => headers[method]('name', 'value'))());
        equal(headers.get('name'), null);
      }),
    ),
  },
  {
    file: 'response/json.any.js',
    subtests: [
      subtest('the order of keys, behind a mark', async ({ fetch, origin }) => {
        const body = '\u00ef\u00bb\u00bf{ "b": 1, "a": 2, "b": 3 }';
        const value = await (await fetch(answerUrl(origin, { body }))).json();
        equal([Object.keys(value), value.a, value.b], [['b', 'a'], 2, 3]);
      }),
      subtest('UTF-16 is no JSON', async ({ fetch, origin }) =>
        equal(
          (await failure((await fetch(answerUrl(origin, { body: '\u00ff\u00fe{\0}\0' }))).json())).name,
          'SyntaxError',
        ),
      ),
    ],
  },
  {
    file: 'response/response-error-from-stream.any.js',
    subtests: readers.map(method =>
      subtest(`${method}() fails as the stream does`, async ({ fetch, origin }) => {
        const controller = new AbortController();
        const reason = new Error('mine');
        const response = await fetch(`${origin}/part`, { signal: controller.signal });
        const read = failure(response[method]());
        controller.abort(reason);
        equal((await read) === reason, true);
      }),
    ),
    without: "The streams of the others are the page's own.",
  },
];
