import { equal, failure, shown, typeError } from '../case.js';
import { bodies, bytesOf, streamed, streamOf } from './bodies.js';
import { reasons } from './reasons.js';
import { type Difference, newKey, subtest, type WptFile } from './subtest.js';

const wrongChunks: [string, unknown][] = [
  ['a text', 'Test'],
  ['null', null],
  ['a number', 99],
  ['an ArrayBuffer', new ArrayBuffer(0)],
  ['a Blob', new Blob()],
];

const retried: Difference = {
  shows: 'times asked',
  reason: reasons.misdirected,
};
const prompt: Difference = {
  shows: 'it did not reject',
  reason: reasons.unauthorized,
};

const refused = (name: string, chunk: unknown) =>
  subtest(`a stream of ${name}`, ({ fetch, origin }) =>
    typeError(fetch(`${origin}/show`, streamed(streamOf(chunk)))),
  );

export const basicUploadFiles: WptFile[] = [
  {
    file: 'basic/request-upload.any.js',
    subtests: [
      subtest('a PUT of a text', async context =>
        equal((await shown(context, { method: 'PUT', body: "Request's body" })).body, "Request's body"),
      ),
      ...bodies
        .filter(({ text }) => text !== undefined)
        .map(({ name, make, text }) =>
          subtest(`a POST of ${name}`, async context =>
            equal((await shown(context, { method: 'POST', body: make() })).body, text),
          ),
        ),
      ...wrongChunks.map(([name, chunk]) => refused(name, chunk)),
      subtest(
        'a POST that is answered with 421 is sent a second time',
        async ({ fetch, origin }) => {
          const response = await fetch(`${origin}/count?key=${newKey()}&status=421`, {
            method: 'POST',
            body: 'x',
          });
          equal(response.status, 421);
          equal(await response.text(), '2', 'times asked');
        },
        { differs: retried },
      ),
      subtest(
        'no stream goes over HTTP/1.1',
        ({ fetch, http1 }) => typeError(fetch(`${http1}/show`, streamed(streamOf()))),
        {
          differs: {
            shows: 'it did not reject',
            reason: reasons.http1Streams,
          },
        },
      ),
    ],
  },
  {
    file: 'basic/request-upload.h2.any.js',
    subtests: [
      subtest('an empty stream', async context =>
        equal((await shown(context, streamed(streamOf()))).body, ''),
      ),
      subtest('a stream', async context =>
        equal((await shown(context, streamed(streamOf(bytesOf('Test'))))).body, 'Test'),
      ),
      subtest('a stream that is answered with 421 is sent once', async ({ fetch, origin }) => {
        const url = `${origin}/count?key=${newKey()}&status=421`;
        const response = await fetch(url, streamed(streamOf(bytesOf('Test'))));
        equal([response.status, await response.text()], [421, '1']);
      }),
      subtest('a data: address with a stream to send', async ({ fetch }) =>
        equal(
          await (await fetch('data:a/a;charset=utf-8,test', streamed(new ReadableStream()))).text(),
          'test',
        ),
      ),
      subtest('a stream is taken, whatever the platform can', async context => {
        const { body, headers } = await shown(context, streamed(streamOf(bytesOf('Test'))));
        equal([body, headers['content-type']], ['Test', undefined]);
      }),
      ...wrongChunks.slice(0, 3).map(([name, chunk]) => refused(name, chunk)),
      subtest(
        'a stream that is answered with 401',
        ({ fetch, origin }) => typeError(fetch(`${origin}/answer?status=401`, streamed(streamOf()))),
        { differs: prompt },
      ),
      subtest('an abort cancels the stream', async ({ fetch, origin }) => {
        const controller = new AbortController();
        let cancelled: unknown;
        const body = new ReadableStream({
          cancel(reason) {
            cancelled = reason;
          },
        });
        const failed = failure(fetch(`${origin}/show`, streamed(body, { signal: controller.signal })));
        controller.abort('enough');
        equal([await failed, cancelled] as unknown[], ['enough', 'enough']);
      }),
    ],
    without: "Two ask the platform's Request, by which streams do not go in every engine.",
  },
];
