import {
  answerUrl,
  equal,
  type FetchCase,
  failure,
  fetchCase,
  type Shown,
  shown,
  typeError,
} from './case.js';

export const bytesOf = (text: string) => new TextEncoder().encode(text);
export const streamOf = (...chunks: unknown[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

/** Each kind of body: its name, one, how it arrives, and its type. */
export const bodies: [string, () => BodyInit, string, string | undefined][] = [
  ['a string', () => 'text', 'text', 'text/plain;charset=UTF-8'],
  ['an empty string', () => '', '', 'text/plain;charset=UTF-8'],
  ['a string beyond ASCII', () => '\u20ac', '\u00e2\u0082\u00ac', 'text/plain;charset=UTF-8'],
  ['a lone surrogate', () => '\ud800', '\u00ef\u00bf\u00bd', 'text/plain;charset=UTF-8'],
  [
    'URLSearchParams',
    () => new URLSearchParams({ a: '1 2', b: '&' }),
    'a=1+2&b=%26',
    'application/x-www-form-urlencoded;charset=UTF-8',
  ],
  ['a Blob', () => new Blob(['blob'], { type: 'text/x-blob' }), 'blob', 'text/x-blob'],
  ['a Blob without a type', () => new Blob(['blob']), 'blob', undefined],
  ['a File', () => new File(['file'], 'name', { type: 'text/x-file' }), 'file', 'text/x-file'],
  ['an ArrayBuffer', () => new Uint8Array([1, 2, 255]).buffer, '\x01\x02\xff', undefined],
  ['a Uint8Array of a part', () => new Uint8Array([0, 1, 2, 0]).subarray(1, 3), '\x01\x02', undefined],
  ['a Float32Array', () => new Float32Array([1]), '\0\0\x80?', undefined],
  ['a DataView', () => new DataView(new Uint8Array([9, 8, 7]).buffer, 1, 2), '\x08\x07', undefined],
  ['a stream', () => streamOf(bytesOf('one '), bytesOf('two')), 'one two', undefined],
  ['an empty stream', () => streamOf(), '', undefined],
  ['an object, as its text', () => ({}) as never, '[object Object]', 'text/plain;charset=UTF-8'],
];

const readers: [string, (response: Response) => Promise<unknown>, unknown][] = [
  ['text', it => it.text(), '{"a":1}'],
  ['json', it => it.json(), { a: 1 }],
  ['arrayBuffer', async it => (await it.arrayBuffer()).byteLength, 7],
  ['bytes', async it => Array.from(await it.bytes()), Array.from(bytesOf('{"a":1}'))],
  ['blob', async it => (await it.blob()).size, 7],
];

const json = { headers: { 'content-type': 'application/json' }, body: '{"a":1}' };

export const bodyCases: FetchCase[] = [
  ...bodies.map(([name, make, text, type]) =>
    fetchCase(`sends ${name}`, async context => {
      const { body, headers } = await shown(context, {
        method: 'POST',
        body: make(),
        duplex: 'half',
      } as RequestInit);
      equal([body, headers['content-type']], [text, type]);
    }),
  ),
  ...(
    [
      ['a Uint8Array', bytes => bytes],
      ['an ArrayBuffer', bytes => bytes.buffer],
      ['URLSearchParams', () => new URLSearchParams({ a: 'sent' })],
      [
        'a FormData',
        () => {
          const form = new FormData();
          form.set('a', 'sent');
          return form;
        },
      ],
    ] as [string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | ArrayBuffer | FormData][]
  ).map(([name, make]) =>
    fetchCase(`sends ${name} as it was at the call`, async context => {
      const bytes = new Uint8Array(bytesOf('a=sent'));
      const body = make(bytes);
      const answer = shown(context, { method: 'POST', body });
      bytes.fill(0);
      if (!(body instanceof ArrayBuffer) && 'set' in body && 'get' in body) body.set('a', 'changed');
      const seen = await answer;
      equal([seen.body.includes('sent'), seen.body.includes('changed')], [true, false]);
      equal(seen.headers['content-length'], String(seen.body.length));
    }),
  ),
  fetchCase('sends nothing of memory that was transferred away', async context => {
    const body = new Uint8Array([1, 2]);
    structuredClone(body.buffer, { transfer: [body.buffer] });
    const seen = await shown(context, { method: 'POST', body });
    equal([seen.body, seen.headers['content-length']], ['', '0']);
  }),
  fetchCase('refuses memory that other threads may change', async ({ fetch, origin }) => {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const body = new Uint8Array(buffer) as Uint8Array<ArrayBuffer>;
    await typeError(fetch(`${origin}/show`, { method: 'POST', body }));
  }),
  fetchCase('sends a FormData', async context => {
    const body = new FormData();
    body.append('a', 'value');
    body.append('f', new File(['content'], 'n"ame.txt', { type: 'text/x-test' }));
    const seen = await shown(context, { method: 'POST', body });
    const boundary = /^multipart\/form-data; ?boundary=(.+)$/.exec(seen.headers['content-type'] ?? '')?.[1];
    equal([seen.body.includes(`--${boundary}\r\n`), seen.body.includes('n%22ame.txt')], [true, true]);
  }),
  fetchCase(
    'sends a FormData with files in a Request, or says where to give it',
    async ({ fetch, origin }) => {
      const body = new FormData();
      body.append('f', new File(['content'], 'name.txt'));
      const request = new Request(`${origin}/show`, { method: 'POST', body });
      const outcome = await fetch(request).then(
        async response => ((await response.json()) as Shown).body.includes('content'),
        ({ cause }) => cause.code === 'ERR_HTTP_BODY' && /init\.body/.test(cause.message),
      );
      equal(outcome, true);
    },
  ),
  fetchCase('the parts of a FormData are encoded as HTML says', async context => {
    const body = new FormData();
    body.append('l\ni"ne', 'one\ntwo\rthree\r\nfour');
    body.append('b', new Blob(['\u20ac']), 'a\nb');
    const seen = await shown(context, { method: 'POST', body });
    const [, boundary] = seen.headers['content-type']?.split('boundary=') ?? [];
    const parts = [
      'Content-Disposition: form-data; name="l%0D%0Ai%22ne"\r\n\r\none\r\ntwo\r\nthree\r\nfour',
      'Content-Disposition: form-data; name="b"; filename="a%0Ab"\r\nContent-Type: application/octet-stream\r\n\r\n\u00e2\u0082\u00ac',
    ];
    equal(seen.body, `${parts.map(part => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`);
    equal(seen.headers['content-length'], String(seen.body.length));
  }),
  fetchCase("the caller's Content-Type is kept", async context => {
    const { headers } = await shown(context, {
      method: 'POST',
      body: 'x',
      headers: { 'content-type': 'a/b' },
    });
    equal(headers['content-type'], 'a/b');
  }),
  ...['POST', 'PUT'].map(method =>
    fetchCase(`a ${method} without a body has the length 0`, async context =>
      equal((await shown(context, { method })).headers['content-length'], '0'),
    ),
  ),
  fetchCase('a string has its length in bytes', async context =>
    equal((await shown(context, { method: 'POST', body: '\u20ac' })).headers['content-length'], '3'),
  ),
  fetchCase('a GET has no length', async context =>
    equal((await shown(context)).headers['content-length'], undefined),
  ),
  ...[
    ['a string', 'text'],
    ['null', null],
    ['a number', 5],
  ].map(([name, chunk]) =>
    fetchCase(`a stream of ${name} fails`, ({ fetch, origin }) =>
      typeError(
        fetch(`${origin}/show`, { method: 'POST', body: streamOf(chunk), duplex: 'half' } as RequestInit),
      ),
    ),
  ),
  fetchCase('a locked stream is refused', ({ fetch, origin }) => {
    const body = streamOf(bytesOf('x'));
    body.getReader();
    return typeError(fetch(`${origin}/show`, { method: 'POST', body, duplex: 'half' } as RequestInit));
  }),
  fetchCase('a stream that has been read is refused', async ({ fetch, origin }) => {
    const body = streamOf(bytesOf('x'));
    const request = new Request(`${origin}/show`, { method: 'POST', body, duplex: 'half' } as RequestInit);
    await request.arrayBuffer();
    await typeError(fetch(request));
  }),
  ...readers.map(([name, read, expected]) =>
    fetchCase(`reads a response by ${name}()`, async ({ fetch, origin }) =>
      equal(await read(await fetch(answerUrl(origin, json))), expected),
    ),
  ),
  ...readers.map(([name, read]) =>
    fetchCase(`${name}() reads once`, async ({ fetch, origin }) => {
      const response = await fetch(answerUrl(origin, json));
      equal(response.bodyUsed, false);
      await response.text();
      equal(response.bodyUsed, true);
      await typeError(read(response));
    }),
  ),
  fetchCase('blob() has the type of the response', async ({ fetch, origin }) => {
    const headers = { 'content-type': 'Text/X-Test; a=b' };
    const { type } = await (await fetch(answerUrl(origin, { headers, body: 'x' }))).blob();
    // Chromium and WebKit keep the space, in their own responses as well.
    equal(
      [type.replace(' ', ''), type],
      ['text/x-test;a=b', (await new Response('x', { headers }).blob()).type],
    );
  }),
  fetchCase('formData() reads a URL-encoded body', async ({ fetch, origin }) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const data = await (await fetch(answerUrl(origin, { headers, body: 'a=1&b=2+3' }))).formData();
    equal([data.get('a'), data.get('b')], ['1', '2 3']);
  }),
  fetchCase('formData() reads a multipart body', async ({ fetch, origin }) => {
    const headers = { 'content-type': 'multipart/form-data; boundary=xx' };
    const body = '--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--xx--\r\n';
    const data = await (await fetch(answerUrl(origin, { headers, body }))).formData();
    equal(data.get('a'), 'value');
  }),
  fetchCase('formData() of another type is a TypeError', async ({ fetch, origin }) =>
    typeError((await fetch(answerUrl(origin, json))).formData()),
  ),
  fetchCase('json() of what is none is a SyntaxError', async ({ fetch, origin }) =>
    equal((await failure((await fetch(answerUrl(origin, { body: '{' }))).json())).name, 'SyntaxError'),
  ),
  fetchCase('json() of nothing is a SyntaxError', async ({ fetch, origin }) =>
    equal((await failure((await fetch(answerUrl(origin, {}))).json())).name, 'SyntaxError'),
  ),
  fetchCase('text() skips the byte order mark', async ({ fetch, origin }) =>
    equal(await (await fetch(answerUrl(origin, { body: '\u00ef\u00bb\u00bfx' }))).text(), 'x'),
  ),
  fetchCase('text() replaces bytes that are no UTF-8', async ({ fetch, origin }) =>
    equal(await (await fetch(answerUrl(origin, { body: '\u00ff' }))).text(), '\ufffd'),
  ),
  fetchCase('text() takes everything for UTF-8', async ({ fetch, origin }) => {
    const headers = { 'content-type': 'text/plain;charset=iso-8859-1' };
    equal(await (await fetch(answerUrl(origin, { headers, body: '\u00c3\u00a9' }))).text(), '\u00e9');
  }),
  fetchCase('a body can be read as a stream', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, { body: 'stream' }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    for (let next = await reader.read(); !next.done; next = await reader.read())
      text += new TextDecoder().decode(next.value);
    equal([text, response.bodyUsed], ['stream', true]);
  }),
  ...(['origin', 'other'] as const).map(server =>
    fetchCase(`each chunk of a large body has its memory for itself (${server})`, async context => {
      const length = 3_000_000;
      const response = await context.fetch(`${context[server]}/zeros?length=${length}`);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      let bytes = 0;
      for (let next = await reader.read(); !next.done; next = await reader.read())
        bytes += next.value.buffer.byteLength;
      equal(bytes, length);
    }),
  ),
  ...(['origin', 'other'] as const).map(server =>
    fetchCase(`arrayBuffer() of a large body has its bytes alone (${server})`, async context => {
      const length = 3_000_000;
      const response = await context.fetch(`${context[server]}/zeros?length=${length}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      equal([bytes.length, bytes.findIndex(it => it !== 0)], [length, -1]);
    }),
  ),
  fetchCase('a locked body is not read', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, json));
    response.body?.getReader();
    await typeError(response.text());
  }),
  fetchCase('clone() gives the same again', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, { ...json, status: 201 }));
    const clone = response.clone();
    equal([clone.status, clone.url, clone.type], [201, response.url, response.type]);
    equal(clone.headers.get('content-type'), 'application/json');
    equal([await clone.text(), await response.text()], [json.body, json.body]);
  }),
  fetchCase('clone() of a body that has been read is a TypeError', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, json));
    await response.text();
    await typeError((async () => response.clone())());
  }),
  fetchCase('one of two clones can be cancelled', async ({ fetch, origin }) => {
    const response = await fetch(answerUrl(origin, json));
    const clone = response.clone();
    const cancelled = response.body?.cancel();
    equal(await clone.text(), json.body);
    await cancelled;
  }),
];
