import { answerUrl, type CaseContext, equal, failure, shown, typeError } from '../case.js';
import { streamed } from './bodies.js';
import { requestErrors } from './request-errors.js';
import { newKey, subtest, type WptFile } from './subtest.js';

export const readers = ['arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'] as const;
export type Reader = (typeof readers)[number];
const POLL_MS = 20;

const abortError = async (promise: Promise<unknown>) => equal((await failure(promise)).name, 'AbortError');
const aborted = () => AbortSignal.abort();

/** Waits until the server knows that the response with this key is over. */
async function closed({ fetch, origin }: CaseContext, key: string): Promise<void> {
  while ((await (await fetch(`${origin}/state?key=${key}`)).text()) !== 'closed')
    await new Promise(resolve => setTimeout(resolve, POLL_MS));
}

async function begun(context: CaseContext, init: RequestInit = {}) {
  const controller = new AbortController();
  const key = newKey();
  const { signal } = controller;
  const response = await context.fetch(`${context.origin}/part?key=${key}`, { signal, ...init });
  const state = await (await context.fetch(`${context.origin}/state?key=${key}`)).text();
  equal(state, 'open', 'before the abort');
  return { controller, key, response };
}

/** What comes first: the failure of what is called, or the next microtask. */
async function atOnce(call: () => Promise<unknown>): Promise<void> {
  const log: string[] = [];
  await Promise.all([
    call().then(
      () => log.push('no failure'),
      () => log.push('failure'),
    ),
    Promise.resolve().then(() => log.push('microtask')),
  ]);
  equal(log, ['failure', 'microtask']);
}

const requestCases: [string, (url: string) => Request][] = [
  ["a Request's signal", url => new Request(url, { signal: aborted() })],
  ['the signal of a Request of a Request', url => new Request(new Request(url, { signal: aborted() }))],
  ["the second Request's signal", url => new Request(new Request(url), { signal: aborted() })],
  [
    "the second Request's signal in place of the first's",
    url => new Request(new Request(url, { signal: new AbortController().signal }), { signal: aborted() }),
  ],
];

const generalCases = [
  subtest('an aborted signal', ({ fetch, origin }) => abortError(fetch(origin, { signal: aborted() }))),
  subtest('its reason', async ({ fetch, origin }) => {
    const reason = new Error('mine');
    equal((await failure(fetch(origin, { signal: AbortSignal.abort(reason) }))) === reason, true);
  }),
  subtest('an aborted signal in the mode no-cors', ({ fetch, other }) =>
    abortError(fetch(other, { signal: aborted(), mode: 'no-cors' })),
  ),
  ...requestErrors.map(([name, url, init]) =>
    subtest(`misuse comes before the abort: ${name}`, ({ fetch, origin }) =>
      typeError(fetch(url || `${origin}/show`, { ...init, signal: aborted() } as RequestInit)),
    ),
  ),
  ...requestCases.map(([name, make]) =>
    subtest(name, ({ fetch, origin }) => abortError(fetch(make(origin)))),
  ),
  subtest("the reason of a Request's signal", async ({ fetch, origin }) => {
    const reason = new Error('mine');
    const request = new Request(origin, { signal: AbortSignal.abort(reason) });
    equal((await failure(fetch(request))) === reason, true);
  }),
  subtest("a Request's signal stays when something else is overridden", ({ fetch, origin }) =>
    abortError(fetch(new Request(origin, { signal: aborted() }), { method: 'POST' })),
  ),
  subtest('null takes it away', async ({ fetch, origin }) => {
    const request = new Request(`${origin}/show`, { signal: aborted() });
    equal((await fetch(request, { signal: null })).status, 200);
  }),
  subtest('an aborted signal rejects at once', ({ fetch, origin }) =>
    atOnce(() => fetch(`${origin}/show`, { signal: aborted() })),
  ),
  subtest('a Request has been used, although its signal was aborted', async ({ fetch, origin }) => {
    const request = new Request(origin, { signal: aborted(), method: 'POST', body: 'foo' });
    await failure(fetch(request));
    equal(request.bodyUsed, true);
  }),
  ...readers.map(name =>
    subtest(`${name}() after an abort rejects at once`, async ({ fetch, origin }) => {
      const controller = new AbortController();
      const response = await fetch(answerUrl(origin, { body: '{}' }), { signal: controller.signal });
      controller.abort();
      let read: Promise<unknown> | undefined;
      await atOnce(() => {
        read = response[name]();
        return read;
      });
      await abortError(read as Promise<unknown>);
    }),
  ),
  subtest('text() twice after an abort', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(answerUrl(origin, { body: '{}' }), { signal: controller.signal });
    controller.abort();
    await abortError(response.text());
    await abortError(response.text());
  }),
  subtest('an aborted signal asks no server', async context => {
    const key = newKey();
    await failure(context.fetch(`${context.origin}/part?key=${key}`, { signal: aborted() }));
    await shown(context);
    equal(await (await context.fetch(`${context.origin}/state?key=${key}`)).text(), 'none');
  }),
  subtest('an aborted signal can be used for many', async ({ fetch, origin }) => {
    const signal = aborted();
    for (const promise of [1, 2, 3].map(() => failure(fetch(`${origin}/part`, { signal }))))
      equal((await promise).name, 'AbortError');
  }),
  subtest('a signal ends others after one has come to its end', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const { signal } = controller;
    await (await fetch(`${origin}/show`, { signal })).json();
    controller.abort();
    for (const promise of [1, 2, 3].map(() => failure(fetch(`${origin}/part`, { signal }))))
      equal((await promise).name, 'AbortError');
  }),
  ...[{}, { mode: 'no-cors' } as const].map(init =>
    subtest(`an abort after the head ends the exchange ${init.mode ?? ''}`, async context => {
      const { controller, key } = await begun(context, init);
      controller.abort();
      await closed(context, key);
    }),
  ),
  ...readers.map(name =>
    subtest(`an abort after ${name}() was called ends the exchange`, async context => {
      const { controller, key, response } = await begun(context);
      const read = failure(response[name]());
      controller.abort();
      equal((await read).name, 'AbortError');
      await closed(context, key);
    }),
  ),
  ...['before', 'after'].map(when =>
    subtest(`an abort ${when} the first read of the stream ends the exchange`, async context => {
      const { controller, key, response } = await begun(context);
      const reader = (response.body as ReadableStream).getReader();
      if (when === 'after') await reader.read();
      controller.abort();
      await abortError(reader.read());
      await abortError(reader.closed);
      await closed(context, key);
    }),
  ),
  subtest('an abort does nothing to an empty body', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(answerUrl(origin, {}), { signal: controller.signal });
    await response.clone().text();
    const reader = (response.body as ReadableStream).getReader();
    controller.abort();
    equal((await reader.read()).done, true);
  }),
  subtest('an aborted signal cancels the body before fetch returns', async ({ fetch, origin }) => {
    let reason: unknown;
    const body = new ReadableStream({
      pull: controller => controller.enqueue(new Uint8Array([42])),
      cancel(given) {
        reason = given;
      },
    });
    const failed = failure(fetch(`${origin}/show`, streamed(body, { signal: aborted() })));
    equal((reason as Error | undefined)?.name, 'AbortError');
    equal((await failed) === reason, true, 'the same reason');
  }),
];

/** Bodies of a Request that are read although its signal was aborted. */
const requestBodies: [Exclude<Reader, 'bytes'>, () => BodyInit | null][] = [
  ['arrayBuffer', () => null],
  ['blob', () => null],
  ['formData', () => new FormData()],
  ['json', () => new Blob(['{}'])],
  ['text', () => null],
];

const consumedCases = requestBodies.flatMap(([name, make]) => {
  const asked = ({ fetch, origin }: CaseContext, body: BodyInit | null) => {
    const controller = new AbortController();
    const request = new Request(`${origin}/show`, { method: 'POST', signal: controller.signal, body });
    fetch(request).catch(() => {});
    controller.abort();
    return request;
  };
  return [
    ...(make() === null
      ? [
          subtest(`${name}() of a Request without a body that was fetched and aborted`, async context => {
            await asked(context, null)
              [name]()
              .catch((error: Error) => {
                if (name !== 'formData') throw error;
              });
          }),
        ]
      : []),
    subtest(`${name}() of a Request with a body that was fetched and aborted`, context =>
      typeError(asked(context, make() ?? new Blob(['foo']))[name]()),
    ),
  ];
});

export const abortFiles: WptFile[] = [
  { file: 'abort/general.any.js', subtests: generalCases, without: "Three ask the platform's Request." },
  {
    file: 'abort/request.any.js',
    subtests: consumedCases,
    without: "The rest asks the platform's Request, which is not fetched.",
  },
  {
    file: 'abort/keepalive.html',
    subtests: [
      subtest('an abort with keepalive ends the exchange', async context => {
        const { controller, key } = await begun(context, { keepalive: true });
        controller.abort();
        await closed(context, key);
      }),
    ],
    without: 'The other one lets a request outlive its page: here the connection is the page’s.',
  },
];
