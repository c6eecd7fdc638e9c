import { answerUrl, equal, shown } from '../case.js';
import { subtest, type WptFile } from './subtest.js';

/** What is given to fetch and changed right after. */
const changed: [string, () => { body: BodyInit; change(): void }, RegExp][] = [
  [
    'a FormData',
    () => {
      const body = new FormData();
      body.set('a', '1');
      return { body, change: () => body.set('a', '2') };
    },
    /\r\n\r\n1\r\n/,
  ],
  [
    'URLSearchParams',
    () => {
      const body = new URLSearchParams({ a: '1' });
      return { body, change: () => body.set('a', '2') };
    },
    /^a=1$/,
  ],
  [
    'a Uint8Array',
    () => {
      const body = new Uint8Array([97]);
      return { body, change: () => body.fill(98) };
    },
    /^a$/,
  ],
  [
    'an ArrayBuffer',
    () => {
      const bytes = new Uint8Array([97]);
      return { body: bytes.buffer, change: () => bytes.fill(98) };
    },
    /^a$/,
  ],
];

const blobOf = async (response: Response) => (await response.blob()).type;

export const bodyFiles: WptFile[] = [
  {
    file: 'body/cloned-any.js',
    subtests: [
      ...changed.map(([name, make, expected]) =>
        subtest(`${name} is sent as it was when fetch was called`, async context => {
          const { body, change } = make();
          const sent = shown(context, { method: 'POST', body });
          change();
          equal(expected.test((await sent).body), true, 'the body that was given');
        }),
      ),
      subtest('blob() is another Blob each time', async ({ fetch, origin }) => {
        const response = await fetch(answerUrl(origin, { body: 'a' }));
        const clone = response.clone();
        equal((await response.blob()) === (await clone.blob()), false);
      }),
    ],
  },
  {
    file: 'body/formdata.any.js',
    subtests: [
      subtest('an empty FormData there and back', async ({ fetch, origin, ...rest }) => {
        const { body, headers } = await shown(
          { fetch, origin, ...rest },
          { method: 'POST', body: new FormData() },
        );
        const type = headers['content-type'] ?? '';
        const response = await fetch(answerUrl(origin, { headers: { 'content-type': type }, body }));
        equal([...(await response.formData())].length, 0);
      }),
      subtest('the fields of a part in lower case', async ({ fetch, origin }) => {
        const headers = { 'content-type': 'multipart/form-data; boundary=xx' };
        const part =
          'content-disposition: form-data; name="foo"; filename="blob"\r\ncontent-type: application/json';
        const body = `--xx\r\n${part}\r\n\r\n{}\r\n--xx--\r\n`;
        const data = await (await fetch(answerUrl(origin, { headers, body }))).formData();
        equal((data.get('foo') as File).type, 'application/json');
      }),
    ],
    without: "One reads the platform's Request.",
  },
  {
    file: 'body/mime-type.any.js',
    subtests: [
      subtest('no body, no type', async ({ fetch, origin }) =>
        equal(await blobOf(await fetch(answerUrl(origin, { status: 204 }))), ''),
      ),
      subtest('no body, and a type', async ({ fetch, origin }) =>
        equal(
          await blobOf(await fetch(answerUrl(origin, { headers: { 'content-type': 'Mytext/Plain' } }))),
          'mytext/plain',
        ),
      ),
      subtest('a body without a type', async ({ fetch, origin }) => {
        const response = await fetch(answerUrl(origin, { body: 'x' }));
        equal([await blobOf(response), response.headers.get('content-type')], ['', null]);
      }),
      subtest('a clone has the same type', async ({ fetch, origin }) => {
        const response = await fetch(
          answerUrl(origin, { headers: { 'content-type': 'Text/Html' }, body: 'x' }),
        );
        const clone = response.clone();
        equal([await blobOf(response), await blobOf(clone)], ['text/html', 'text/html']);
        equal(clone.headers.get('content-type'), 'Text/Html');
      }),
      subtest('a Blob with a type is sent with it', async context => {
        const body = new Blob(['x'], { type: 'Text/Plain' });
        equal((await shown(context, { method: 'POST', body })).headers['content-type'], 'text/plain');
      }),
      subtest("the caller's Content-Type is before a Blob's", async context => {
        const body = new Blob([], { type: 'text/plain' });
        const seen = await shown(context, { method: 'POST', body, headers: { 'content-type': 'text/html' } });
        equal(seen.headers['content-type'], 'text/html');
      }),
    ],
    without: "The rest asks the platform's Request and Response, whose headers can be changed.",
  },
];
