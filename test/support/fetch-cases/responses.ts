import { answerUrl, equal, type FetchCase, failure, fetchCase, typeError } from './case.js';

const statuses = [
  200, 201, 202, 203, 204, 205, 206, 304, 400, 401, 403, 404, 405, 409, 410, 418, 429, 500, 501, 503, 599,
];
const bodyless = [204, 205, 304];
const ranges: [string, number, string, string][] = [
  ['bytes=0-', 206, '0123456789', 'bytes 0-9/10'],
  ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
  ['bytes=9-', 206, '9', 'bytes 9-9/10'],
  ['bytes=10-', 416, '', 'bytes */10'],
];

const SHA256 = 'sha256-GF+NsyJx/iX1Yab8k4suJkMG7DBO2lGAB9F2SCY4GWk=';
const SHA384 = 'sha384-NRn+WtLFlu/j4nam81G4/AsD24YXgkkNRfdZjr0Ktf1VIO0QLzjEpeyDTphmgDX8';

export const responseCases: FetchCase[] = [
  ...[600, 999].map(status =>
    fetchCase(
      `the status ${status}, which no Response can be made with, is shown`,
      async ({ fetch, http1 }) => {
        const response = await fetch(answerUrl(http1, { status, body: 'body' }));
        const clone = response.clone();
        equal([response.status, response.ok, await response.text()], [status, false, 'body']);
        equal([clone.status, clone.ok, await clone.text()], [status, false, 'body']);
      },
    ),
  ),
  ...statuses.map(status =>
    fetchCase(`the status ${status} is shown`, async ({ fetch, origin }) => {
      const body = bodyless.includes(status) ? '' : 'body';
      const response = await fetch(answerUrl(origin, { status, body }));
      equal([response.status, response.ok, response.type], [status, status < 300, 'basic']);
      equal([response.body === null, await response.text()], [bodyless.includes(status), body]);
    }),
  ),
  fetchCase('HTTP/1.1 has a reason, HTTP/2 has none', async ({ fetch, origin, protocol }) => {
    const response = await fetch(answerUrl(origin, { status: 404, reason: 'Gone Fishing' }));
    equal(response.statusText, protocol === 'h2' ? '' : 'Gone Fishing');
  }),
  fetchCase('a HEAD has headers and no body', async ({ fetch, origin }) => {
    const response = await fetch(
      answerUrl(origin, { headers: { 'content-length': '4', x: 'y' }, body: 'body' }),
      {
        method: 'HEAD',
      },
    );
    equal(
      [response.status, response.headers.get('x'), response.headers.get('content-length')],
      [200, 'y', '4'],
    );
    equal([response.body, await response.text()], [null, '']);
  }),
  ...['text', 'arrayBuffer', 'blob', 'bytes'].map(name =>
    fetchCase(`${name}() of no body gives nothing`, async ({ fetch, origin }) => {
      const response = await fetch(answerUrl(origin, { status: 204 }));
      const value = await (response as never as Record<string, () => Promise<unknown>>)[name]?.();
      const { length, byteLength, size } = value as { length?: number; byteLength?: number; size?: number };
      equal([length ?? byteLength ?? size, response.bodyUsed], [0, false]);
    }),
  ),
  fetchCase('headers are shown, whatever their case', async ({ fetch, origin }) => {
    const { headers } = await fetch(
      answerUrl(origin, { headers: { 'X-Mixed-Case': 'v', 'content-type': 'a/b' } }),
    );
    equal(
      [headers.get('x-mixed-case'), headers.get('X-MIXED-CASE'), headers.get('Content-Type')],
      ['v', 'v', 'a/b'],
    );
  }),
  fetchCase('headers that CORS would hide are shown', async ({ fetch, origin }) =>
    equal((await fetch(answerUrl(origin, { headers: { 'x-secret': 'v' } }))).headers.get('x-secret'), 'v'),
  ),
  fetchCase('a header that is not there is null', async ({ fetch, origin }) =>
    equal((await fetch(answerUrl(origin, {}))).headers.get('x-none'), null),
  ),
  ...ranges.map(([range, status, text, contentRange]) =>
    fetchCase(`the range ${range} gives ${status}`, async ({ fetch, origin }) => {
      const response = await fetch(`${origin}/range`, { headers: { range } });
      equal([response.status, await response.text()], [status, text]);
      equal(response.headers.get('content-range'), contentRange);
    }),
  ),
  fetchCase('a response is a Response', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, {}));
    equal([response instanceof Response, response.headers instanceof Headers], [true, true]);
  }),
  fetchCase('a cancelled body has been used', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, { body: 'body' }));
    await response.body?.cancel();
    equal(response.bodyUsed, true);
    await typeError(response.text());
  }),
  ...(
    [
      ['the right hash', SHA256, true],
      ['the right one of a stronger algorithm', SHA384, true],
      ['one of several that is right', `sha256-AAAA ${SHA256}`, true],
      ['options behind the hash', `${SHA256}?ct=application/javascript`, true],
      ['an unknown algorithm', 'md5-AAAA', true],
      ['what is no hash', 'nothing', true],
      ['a wrong hash', 'sha256-AAAA', false],
      ['a weaker right and a stronger wrong one', `${SHA256} sha512-AAAA`, false],
    ] as const
  ).map(([name, integrity, good]) =>
    fetchCase(`integrity: ${name}`, async ({ fetch, origin }) => {
      const promise = fetch(answerUrl(origin, { body: 'Hello' }), { integrity });
      if (!good) return typeError(promise);
      equal(await (await promise).text(), 'Hello');
    }),
  ),
];

export const abortCases: FetchCase[] = [
  fetchCase('an aborted signal rejects at once, with an AbortError', async ({ fetch, origin }) =>
    equal((await failure(fetch(`${origin}/show`, { signal: AbortSignal.abort() }))).name, 'AbortError'),
  ),
  ...(
    [
      ['an Error', new Error('mine')],
      ['a text', 'text'],
      ['null', null],
      ['an object', { a: 1 }],
    ] as const
  ).map(([name, reason]) =>
    fetchCase(`the reason is passed through: ${name}`, async ({ fetch, origin }) =>
      equal(
        ((await failure(fetch(`${origin}/show`, { signal: AbortSignal.abort(reason) }))) as unknown) ===
          reason,
        true,
      ),
    ),
  ),
  fetchCase("a Request's signal counts", async ({ fetch, origin }) => {
    const request = new Request(`${origin}/show`, { signal: AbortSignal.abort() });
    equal((await failure(fetch(request))).name, 'AbortError');
  }),
  fetchCase("init's signal replaces the Request's", async ({ fetch, origin }) => {
    const request = new Request(`${origin}/show`, { signal: AbortSignal.abort() });
    equal((await fetch(request, { signal: new AbortController().signal })).status, 200);
  }),
  fetchCase("init's null takes the Request's signal away", async ({ fetch, origin }) => {
    const request = new Request(`${origin}/show`, { signal: AbortSignal.abort() });
    equal((await fetch(request, { signal: null })).status, 200);
  }),
  fetchCase('misuse comes before the abort', ({ fetch, origin }) =>
    typeError(fetch(`${origin}/show`, { signal: AbortSignal.abort(), method: 'A B' })),
  ),
  fetchCase('an abort right after the call', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const failed = failure(fetch(`${origin}/never`, { signal: controller.signal }));
    controller.abort();
    equal((await failed).name, 'AbortError');
  }),
  fetchCase('an abort while the server is silent', async ({ fetch, origin }) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    equal((await failure(fetch(`${origin}/never`, { signal: controller.signal }))).name, 'AbortError');
  }),
  fetchCase('AbortSignal.timeout gives a TimeoutError', async ({ fetch, origin }) =>
    equal(
      (await failure(fetch(`${origin}/never`, { signal: AbortSignal.timeout(50) }))).name,
      'TimeoutError',
    ),
  ),
  fetchCase('AbortSignal.any gives the reason of the first', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)]);
    setTimeout(() => controller.abort('mine'), 20);
    equal((await failure(fetch(`${origin}/never`, { signal }))) as unknown, 'mine');
  }),
  ...['text', 'json', 'arrayBuffer', 'blob', 'bytes', 'formData'].map(name =>
    fetchCase(`an abort ends ${name}()`, async ({ fetch, origin }) => {
      const controller = new AbortController();
      const response = await fetch(`${origin}/part`, { signal: controller.signal });
      const read = failure(
        (response as never as Record<string, () => Promise<unknown>>)[name]?.() as Promise<unknown>,
      );
      controller.abort('mine');
      equal((await read) as unknown, 'mine');
    }),
  ),
  fetchCase('an abort before a body is read ends it', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(`${origin}/part`, { signal: controller.signal });
    controller.abort();
    equal((await failure(response.text())).name, 'AbortError');
  }),
  fetchCase("an abort ends the body's stream", async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(`${origin}/part`, { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    equal((await reader.read()).done, false);
    controller.abort();
    equal(
      [(await failure(reader.read())).name, (await failure(reader.closed)).name],
      ['AbortError', 'AbortError'],
    );
  }),
  fetchCase('an abort ends both clones', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(`${origin}/part`, { signal: controller.signal });
    const clone = response.clone();
    controller.abort();
    equal(
      [(await failure(response.text())).name, (await failure(clone.text())).name],
      ['AbortError', 'AbortError'],
    );
  }),
  fetchCase('an abort after the end does nothing', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const response = await fetch(answerUrl(origin, { body: 'whole' }), { signal: controller.signal });
    equal(await response.text(), 'whole');
    controller.abort();
    equal((await fetch(`${origin}/show`)).status, 200);
  }),
  ...['read', 'cancelled', 'empty'].map(how =>
    fetchCase(`a signal is let go by a response that is ${how}`, async ({ fetch, origin }) => {
      const { signal } = new AbortController();
      let listeners = 0;
      const { addEventListener: add, removeEventListener: remove } = signal;
      signal.addEventListener = (...args: unknown[]) => {
        listeners++;
        add.apply(signal, args as never);
      };
      signal.removeEventListener = (...args: unknown[]) => {
        listeners--;
        remove.apply(signal, args as never);
      };
      const response = await fetch(answerUrl(origin, how === 'empty' ? {} : { body: 'whole' }), { signal });
      if (how === 'cancelled') await response.body?.cancel();
      else equal(await response.text(), how === 'empty' ? '' : 'whole');
      equal(listeners <= 0, true, `${listeners} listeners left`);
    }),
  ),
  fetchCase('an abort cancels the body on its way up', async ({ fetch, origin }) => {
    const controller = new AbortController();
    let cancelled: (reason: unknown) => void = () => {};
    const reason = new Promise(resolve => {
      cancelled = resolve;
    });
    const body = new ReadableStream({
      pull: it => it.enqueue(new Uint8Array(999)),
      cancel: it => cancelled(it),
    });
    const init = { method: 'POST', body, duplex: 'half', signal: controller.signal } as RequestInit;
    const failed = failure(fetch(`${origin}/never`, init));
    setTimeout(() => controller.abort('mine'), 50);
    equal([await failed, await reason] as unknown[], ['mine', 'mine']);
  }),
  fetchCase('one signal ends several', async ({ fetch, origin }) => {
    const controller = new AbortController();
    const all = [1, 2, 3].map(() => failure(fetch(`${origin}/never`, { signal: controller.signal })));
    setTimeout(() => controller.abort(), 50);
    equal(
      (await Promise.all(all)).map(it => it.name),
      ['AbortError', 'AbortError', 'AbortError'],
    );
  }),
  fetchCase('what is no signal is a TypeError', ({ fetch, origin }) =>
    typeError(fetch(`${origin}/show`, { signal: {} as AbortSignal })),
  ),
];
