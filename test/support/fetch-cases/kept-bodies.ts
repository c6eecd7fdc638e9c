import type { BodyProgress } from '../../../src/index.js';
import { bodies, bytesOf, streamOf } from './bodies.js';
import {
  type CaseContext,
  equal,
  type FetchCase,
  failure,
  fetchCase,
  type Shown,
  typeError,
} from './case.js';

/** A stream that has said something and does not end before it is told to. */
function openStream(text: string) {
  let end = () => {};
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytesOf(text));
      end = () => controller.close();
    },
  });
  return { stream, end };
}

/** Letters, which the server's answer has as they are. */
const plain = (size: number) => new Uint8Array(size).fill(0x61);

const MB = 1_000_000;
const MIB = 1 << 20;

/** What the server saw; `bytes` in the place of a long body. */
async function sent({ fetch }: Pick<CaseContext, 'fetch'>, request: Request, init?: RequestInit) {
  const { body, headers, method } = (await (await fetch(request, init)).json()) as Shown;
  return {
    method,
    body: body.length > 100 ? '' : body,
    bytes: body.length,
    type: headers['content-type'],
    length: headers['content-length'],
    chunked: headers['transfer-encoding'] === 'chunked',
    headers,
  };
}

const readers: [string, (request: Request) => Promise<unknown>][] = [
  ['text', it => it.text()],
  ['json', async it => JSON.stringify(await it.json())],
  ['arrayBuffer', async it => new TextDecoder().decode(await it.arrayBuffer())],
  ['blob', async it => (await it.blob()).text()],
];

/** Of requests that remember their bodies (`client.Request`), and of the platform's, whose bodies are read back. */
export const keptBodyCases: FetchCase[] = [
  ...[3 * MB, 8 * MIB - 1].map(size =>
    fetchCase(`a Request of ${size} bytes is sent with its length`, async context => {
      const request = new Request(`${context.origin}/show`, { method: 'POST', body: plain(size) });
      const { bytes, length, chunked } = await sent(context, request);
      equal([bytes, length, chunked], [size, String(size), false]);
    }),
  ),
  fetchCase('a Request of 9 MB comes whole, with or without its length', async context => {
    const size = 9 * MB;
    const request = new Request(`${context.origin}/show`, { method: 'POST', body: plain(size) });
    const { bytes, length = String(size) } = await sent(context, request);
    equal([bytes, length], [size, String(size)]);
  }),
  ...bodies
    .filter(([name]) => !name.includes('stream'))
    .map(([name, make, text, type]) =>
      fetchCase(`client.Request sends ${name}`, async context => {
        const request = new context.Request(`${context.origin}/show`, { method: 'PUT', body: make() });
        const seen = await sent(context, request);
        const expected = ['PUT', text, type, String(text.length), false];
        equal([seen.method, seen.body, seen.type, seen.length, seen.chunked], expected);
        equal(request.bodyUsed, true, 'bodyUsed');
      }),
    ),
  fetchCase('client.Request sends a FormData with a file', async context => {
    const body = new FormData();
    body.append('f', new File(['content'], 'n"ame.txt', { type: 'text/x-test' }));
    const request = new context.Request(`${context.origin}/show`, { method: 'POST', body });
    body.append('late', 'later');
    const { headers, body: text } = (await (await context.fetch(request)).json()) as Shown;
    const [, boundary] = headers['content-type']?.split('boundary=') ?? [];
    equal(
      [text.includes(`--${boundary}\r\n`), text.includes('n%22ame'), text.includes('late')],
      [true, true, false],
    );
    equal(headers['content-length'], String(text.length));
  }),
  fetchCase('client.Request knows the length of 20 MB', async context => {
    const body = plain(20 * MB);
    const request = new context.Request(`${context.origin}/show`, { method: 'POST', body });
    const { bytes, length } = await sent(context, request);
    equal([bytes, length], [20 * MB, String(20 * MB)]);
  }),
  fetchCase('client.Request has its body as it was when it was made', async context => {
    const body = bytesOf('before');
    const parameters = new URLSearchParams('a=before');
    const [one, two] = [body, parameters].map(
      it => new context.Request(`${context.origin}/show`, { method: 'POST', body: it }),
    ) as [Request, Request];
    body.set(bytesOf('after!'));
    parameters.set('a', 'after');
    equal([(await sent(context, one)).body, (await sent(context, two)).body], ['before', 'a=before']);
  }),
  fetchCase('client.Request sends a stream without a length', async context => {
    const body = streamOf(bytesOf('one '), bytesOf('two'));
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'a/b' } };
    const request = new context.Request(`${context.origin}/show`, init as RequestInit);
    const { length, chunked, type, ...seen } = await sent(context, request);
    equal([seen.body, length, chunked, type], ['one two', undefined, context.protocol === 'http/1.1', 'a/b']);
    equal(request.bodyUsed, true, 'bodyUsed');
    await typeError(context.fetch(request));
  }),
  fetchCase('client.Request does not wait for the end of a stream', async context => {
    const { stream, end } = openStream('begin');
    const body = stream;
    const key = `${Math.random()}`;
    const request = new context.Request(`${context.origin}/count?key=${key}`, { method: 'POST', body });
    const answer = context.fetch(request);
    equal(await (await answer).text(), '1');
    end();
  }),
  fetchCase('client.Request fails for a stream of other things than bytes', async context => {
    const init = { method: 'POST', body: streamOf('text') };
    await typeError(context.fetch(new context.Request(`${context.origin}/show`, init)));
  }),
  fetchCase('client.Request is used once', async context => {
    for (const body of ['x', streamOf(bytesOf('x'))]) {
      const request = new context.Request(`${context.origin}/show`, { method: 'POST', body });
      equal([request.bodyUsed, (await sent(context, request)).body, request.bodyUsed], [false, 'x', true]);
      await typeError(context.fetch(request));
      await typeError(request.text());
      equal((await failure(Promise.resolve().then(() => request.clone()))).name, 'TypeError');
    }
  }),
  ...readers.map(([name, read]) =>
    fetchCase(`client.Request is read by ${name}()`, async context => {
      for (const body of ['{"a":1}', streamOf(bytesOf('{"a":1}'))]) {
        const request = new context.Request(context.origin, { method: 'POST', body });
        equal([await read(request), request.bodyUsed], ['{"a":1}', true]);
        await typeError(context.fetch(request));
      }
    }),
  ),
  fetchCase('client.Request has the type of its body for blob() and formData()', async context => {
    const form = new FormData();
    form.append('a', 'b');
    const typed = new context.Request(context.origin, { method: 'POST', body: form });
    equal((await typed.formData()).get('a'), 'b');
    const init = {
      method: 'POST',
      body: streamOf(bytesOf('a=b')),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    };
    equal((await new context.Request(context.origin, init).formData()).get('a'), 'b');
  }),
  fetchCase('client.Request shows the body of a stream', async context => {
    const body = streamOf(bytesOf('x'));
    const request = new context.Request(context.origin, { method: 'POST', body });
    const reader = (request.body as ReadableStream<Uint8Array>).getReader();
    equal(Array.from((await reader.read()).value ?? []), Array.from(bytesOf('x')));
    equal(request.bodyUsed, true);
    await typeError(context.fetch(request));
  }),
  fetchCase('client.Request without a body is like any other', async context => {
    const request = new context.Request(`${context.origin}/show`, { headers: { x: 'y' } });
    const { method, headers, length } = await sent(context, request);
    equal([method, headers.x, length, request.bodyUsed], ['GET', 'y', undefined, false]);
    equal((await sent(context, request)).method, 'GET');
    const empty = new context.Request(`${context.origin}/show`, { method: 'POST', body: null });
    equal((await sent(context, empty)).length, '0');
  }),
  fetchCase('a clone of client.Request is sent as well, with its length', async context => {
    const request = new context.Request(`${context.origin}/show`, {
      method: 'POST',
      body: plain(9 * MB),
      headers: { x: 'y' },
    });
    const clone = request.clone();
    for (const it of [request, clone, clone]) {
      if (it.bodyUsed) continue;
      const { bytes, length, headers } = await sent(context, it);
      equal([bytes, length, headers.x], [9 * MB, String(9 * MB), 'y']);
    }
    equal([request.bodyUsed, clone.bodyUsed, clone instanceof context.Request], [true, true, true]);
  }),
  fetchCase('a clone of client.Request with a stream has the same stream', async context => {
    const body = streamOf(bytesOf('one '), bytesOf('two'));
    const request = new context.Request(`${context.origin}/show`, {
      method: 'POST',
      body,
      headers: { x: 'y' },
    });
    const [clone, third] = [request.clone(), request.clone()];
    for (const it of [request, clone]) {
      const { body: text, headers, length } = await sent(context, it);
      equal([text, headers.x, length], ['one two', 'y', undefined]);
    }
    equal(await third.text(), 'one two');
  }),
  fetchCase('client.Request of another one takes its body over', async context => {
    for (const body of [plain(9 * MB), streamOf(plain(9 * MB))]) {
      const first = new context.Request(`${context.origin}/show`, {
        method: 'POST',
        body,
        headers: { x: 'y' },
      });
      const second = new context.Request(first, { method: 'PUT' });
      equal([first.bodyUsed, second.bodyUsed], [true, false]);
      await typeError(context.fetch(first));
      equal((await failure(Promise.resolve().then(() => new context.Request(first)))).name, 'TypeError');
      const { method, bytes, headers, length } = await sent(context, second);
      equal([method, bytes, headers.x], ['PUT', 9 * MB, 'y']);
      equal(length, body instanceof Uint8Array ? String(9 * MB) : undefined);
    }
  }),
  fetchCase('client.Request of another one with another body leaves that one as it is', async context => {
    for (const [old, next] of [
      ['old', 'new'],
      ['old', 5 as never],
      [streamOf(bytesOf('old')), 'new'],
      ['old', streamOf(bytesOf('new'))],
    ] as [BodyInit, BodyInit][]) {
      const first = new context.Request(`${context.origin}/show`, { method: 'POST', body: old });
      const second = new context.Request(first, { body: next });
      equal(
        [(await sent(context, second)).body, first.bodyUsed],
        [`${typeof next === 'number' ? 5 : 'new'}`, false],
      );
      equal((await sent(context, first)).body, 'old');
    }
  }),
  fetchCase("client.Request of the platform's Request has what that has", async context => {
    const init = { method: 'POST', body: 'text', headers: { x: 'y' } };
    const platform = new Request(`${context.origin}/show`, init);
    const request = new context.Request(platform);
    equal([platform.bodyUsed, request.bodyUsed], [true, false]);
    const { body, headers, method, length } = await sent(context, request);
    equal([body, headers.x, method, length], ['text', 'y', 'POST', '4']);
  }),
  fetchCase("the platform's Request of client.Request has its body, but no stream", async context => {
    const request = new context.Request(`${context.origin}/show`, { method: 'POST', body: 'text' });
    const Platform = Object.getPrototypeOf(context.Request) as typeof Request;
    equal((await sent(context, new Platform(request))).body, 'text');
    const streaming = new context.Request(`${context.origin}/show`, {
      method: 'POST',
      body: streamOf(bytesOf('x')),
    });
    equal((await failure(Promise.resolve().then(() => new Platform(streaming)))).name, 'TypeError');
    equal((await sent(context, streaming)).body, 'x');
  }),
  fetchCase('init of fetch goes before client.Request', async context => {
    for (const body of ['old', streamOf(bytesOf('old'))]) {
      const request = new context.Request(`${context.origin}/show`, {
        method: 'POST',
        body,
        headers: { x: 'old' },
      });
      const seen = await sent(context, request, { method: 'PUT', body: 'new', headers: { y: 'new' } });
      equal([seen.method, seen.body, seen.headers.x, seen.headers.y], ['PUT', 'new', undefined, 'new']);
      equal(request.bodyUsed, false);
    }
  }),
  ...['GET', 'HEAD'].map(method =>
    fetchCase(`client.Request refuses a body of a ${method}`, async context => {
      for (const body of ['x', streamOf(bytesOf('x'))]) {
        const make = () => new context.Request(context.origin, { method, body });
        equal((await failure(Promise.resolve().then(make))).name, 'TypeError');
        const post = new context.Request(`${context.origin}/show`, { method: 'POST', body });
        equal(
          (await failure(Promise.resolve().then(() => new context.Request(post, { method })))).name,
          'TypeError',
        );
        await typeError(context.fetch(post, { method }));
        equal((await sent(context, post)).body, 'x');
      }
    }),
  ),
  fetchCase('client.Request refuses streams that nothing can be read from, and keepalive', async context => {
    const locked = streamOf(bytesOf('x'));
    locked.getReader();
    const read = streamOf(bytesOf('x'));
    await new Response(read).text();
    const inits = [{ body: locked }, { body: read }, { body: streamOf(bytesOf('x')), keepalive: true }];
    for (const init of inits) {
      const make = () => new context.Request(context.origin, { method: 'POST', ...init });
      equal((await failure(Promise.resolve().then(make))).name, 'TypeError');
    }
  }),
  fetchCase('client.Request follows its signal', async context => {
    const controller = new AbortController();
    const { stream } = openStream('x');
    const init = { method: 'POST', body: stream, signal: controller.signal };
    const first = new context.Request(`${context.origin}/never`, init);
    const request = new context.Request(first.clone());
    const answer = context.fetch(request);
    controller.abort();
    equal((await failure(answer)).name, 'AbortError');
    equal([first.signal.aborted, request.signal.aborted], [true, true]);
  }),
  fetchCase('an aborted signal lets go of the body of client.Request', async context => {
    let cancelled: unknown;
    const body = new ReadableStream({
      cancel(reason) {
        cancelled = reason;
      },
    });
    const request = new context.Request(context.origin, {
      method: 'POST',
      body,
      signal: AbortSignal.abort(),
    });
    const error = await failure(context.fetch(request));
    equal([error.name, cancelled === error], ['AbortError', true]);
  }),
  fetchCase('the body of client.Request is sent again after a redirect, but no stream', async context => {
    const { origin } = context;
    const url = `${origin}/redirect?status=307&location=${encodeURIComponent('/show')}`;
    const { body, length } = await sent(context, new context.Request(url, { method: 'POST', body: 'text' }));
    equal([body, length], ['text', '4']);
    const streaming = new context.Request(url, { method: 'POST', body: streamOf(bytesOf('x')) });
    await typeError(context.fetch(streaming));
  }),
  fetchCase('client.Request may say who is told of its progress', async context => {
    const size = 300_000;
    for (const body of [plain(size), streamOf(plain(size))]) {
      const steps: BodyProgress[] = [];
      const init = { method: 'POST', body, onUploadProgress: (it: BodyProgress) => steps.push(it) };
      const first = new context.Request(`${context.origin}/show`, init);
      await sent(context, new context.Request(first.clone()));
      const total = body instanceof Uint8Array ? size : undefined;
      equal([steps.at(-1)?.bytes, steps.at(-1)?.totalBytes], [size, total]);
      const other: BodyProgress[] = [];
      steps.length = 0;
      await sent(context, first, { onUploadProgress: (it: BodyProgress) => other.push(it) } as RequestInit);
      equal([steps.length, other.at(-1)?.bytes], [0, size]);
    }
    const wrong = { onUploadProgress: 5 as never };
    equal(
      (await failure(Promise.resolve().then(() => new context.Request(context.origin, wrong)))).name,
      'TypeError',
    );
  }),
  fetchCase('client.Request is a Request', async ({ Request: Own, origin }) => {
    const request = new Own(origin, {
      method: 'patch',
      credentials: 'include',
      redirect: 'manual',
      integrity: 'sha256-x',
    });
    const { method, credentials, redirect, integrity, url } = request;
    equal(
      [method, credentials, redirect, integrity, url],
      ['patch', 'include', 'manual', 'sha256-x', `${origin}/`],
    );
    equal(
      [
        request instanceof Own,
        Object.getPrototypeOf(Own) === Object.getPrototypeOf(Own.prototype).constructor,
      ],
      [true, true],
    );
    equal([Own.name, Object.prototype.toString.call(request)], ['Request', '[object Request]']);
    const mistakes: (() => unknown)[] = [
      () => new Own('https://['),
      () => new Own(origin, { method: 'TRACE' }),
      () => new Own(origin, 5 as never),
      () => new Own(origin, { signal: {} as never }),
      () => new Own(origin, { redirect: 'odd' as never }),
    ];
    for (const mistake of mistakes) equal((await failure(Promise.resolve().then(mistake))).name, 'TypeError');
  }),
  fetchCase('a library that makes its requests of the global class sends their lengths', async context => {
    const platform = globalThis.Request;
    globalThis.Request = context.Request as typeof Request;
    try {
      // As ky: a request, a clone of it for another attempt, and hooks that make others of it.
      const attempt = new Request(`${context.origin}/show`, { method: 'POST', body: plain(9 * MB) });
      const retry = attempt.clone();
      const hooked = new Request(attempt, { headers: { authorization: 'Bearer x' } });
      for (const request of [hooked, new Request(retry)]) {
        const { bytes, length } = await sent(context, request);
        equal([bytes, length], [9 * MB, String(9 * MB)]);
      }
      // As axios and ky, which look whether streams can be sent.
      let asked = false;
      const probe = new Request(context.origin, {
        method: 'POST',
        body: new ReadableStream(),
        get duplex() {
          asked = true;
          return 'half';
        },
      } as RequestInit);
      equal([asked, probe.headers.has('content-type')], [true, false]);
    } finally {
      globalThis.Request = platform;
    }
  }),
];
