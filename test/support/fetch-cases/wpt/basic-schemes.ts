import { answerUrl, equal, redirectUrl, typeError } from '../case.js';
import { reasons } from './reasons.js';
import { subtest, type WptFile } from './subtest.js';

const opaque = { shows: 'status', reason: reasons.cors };
const HELLO = 'Hello, World!';
const XML = '<?xml version="1.0" encoding="UTF-8"?><x></x>';
/** The platform reads blob: and data: addresses; Node shows no type for some. */
const blobs: [string, () => Blob, string, string][] = [
  ['a text', () => new Blob(["Blob's data"], { type: 'text/plain' }), "Blob's data", 'text/plain'],
  ['nothing', () => new Blob([]), '', ''],
  ['nothing with an empty type', () => new Blob([], { type: '' }), '', ''],
  ['nothing with a type', () => new Blob([], { type: 'text/plain' }), '', 'text/plain'],
  ['a picture without a type', () => new Blob([new Uint8Array([137, 80, 78, 71])]), '\ufffdPNG', ''],
  ['XML without a type', () => new Blob([XML]), XML, ''],
  ['a part without a type', () => new Blob([HELLO], { type: 'text/plain' }).slice(7, 13), 'World!', ''],
  [
    'a part with a bad type',
    () => new Blob([HELLO], { type: 'text/plain' }).slice(7, 13, '\0'),
    'World!',
    '',
  ],
  ['a part of XML', () => new Blob([XML]).slice(0, 38), XML.slice(0, 38), ''],
];

const dataUrls: [string, RequestInit, string, string][] = [
  ['data:,response%27s%20body', {}, "response's body", 'text/plain;charset=US-ASCII'],
  ['data:,response%27s%20body', { mode: 'same-origin' }, "response's body", 'text/plain;charset=US-ASCII'],
  ['data:,response%27s%20body', { mode: 'cors' }, "response's body", 'text/plain;charset=US-ASCII'],
  ['data:text/plain;base64,cmVzcG9uc2UncyBib2R5', {}, "response's body", 'text/plain'],
  ['data:image/png;base64,cmVzcG9uc2UncyBib2R5', {}, "response's body", 'image/png'],
  ['data:,response%27s%20body', { method: 'POST' }, "response's body", 'text/plain;charset=US-ASCII'],
  ['data:,response%27s%20body', { method: 'HEAD' }, '', 'text/plain;charset=US-ASCII'],
];

const others = [
  ...['aaa', 'cap', 'cid', 'dav', 'dict', 'dns', 'geo', 'im', 'imap'],
  ...['ipp', 'ldap', 'mailto', 'nfs', 'pop', 'rtsp', 'snmp'],
];

export const basicSchemeFiles: WptFile[] = [
  {
    file: 'basic/mode-no-cors.sub.any.js',
    subtests: [
      ...['/answer', ''].map(path =>
        subtest(
          `no-cors at the own origin (${path || 'its root'})`,
          async ({ fetch, origin }) => {
            const { type, status } = await fetch(`${origin}${path}`, { mode: 'no-cors' });
            equal([type, status === 200 || path === ''], ['basic', true]);
          },
          { needs: 'own origin' },
        ),
      ),
      ...['other', 'http1'].map(where =>
        subtest(
          `no-cors at another origin (${where})`,
          async context => {
            const { status } = await context.fetch(answerUrl(context[where as 'other'], {}), {
              mode: 'no-cors',
            });
            equal(status, 0, 'status');
          },
          { differs: opaque },
        ),
      ),
    ],
  },
  {
    file: 'basic/mode-same-origin.any.js',
    subtests: [
      ...['', redirectUrl('', 302, '/show'), '/redirect?status=302&location=origin'].map(path =>
        subtest(
          `same-origin, and it is (${path || '/show'})`,
          async ({ fetch, origin }) => {
            const url = path.endsWith('=origin')
              ? redirectUrl(origin, 302, `${origin}/show`)
              : origin + (path || '/show');
            const response = await fetch(url, { mode: 'same-origin' });
            equal([response.status, response.type], [200, 'basic']);
          },
          { needs: 'own origin' },
        ),
      ),
      ...(['other', 'http1'] as const).map(where =>
        subtest(`same-origin, and it is not (${where})`, context =>
          typeError(context.fetch(`${context[where]}/show`, { mode: 'same-origin' })),
        ),
      ),
      ...(['other', 'http1'] as const).map(where =>
        subtest(
          `same-origin, and it leads to another (${where})`,
          context =>
            typeError(
              context.fetch(redirectUrl(context.origin, 302, `${context[where]}/show`), {
                mode: 'same-origin',
              }),
            ),
          { needs: 'own origin' },
        ),
      ),
      subtest(
        'same-origin by its path alone',
        async ({ fetch }) => equal((await fetch('/show', { mode: 'same-origin' })).status, 200),
        { needs: 'own origin' },
      ),
    ],
  },
  {
    file: 'basic/scheme-about.any.js',
    subtests: [
      ...['GET', 'PUT', 'POST'].map(method =>
        subtest(`${method} about:blank`, ({ fetch }) => typeError(fetch('about:blank', { method }))),
      ),
      ...['about:invalid.com', 'about:config', 'about:unicorn'].map(url =>
        subtest(url, ({ fetch }) => typeError(fetch(url))),
      ),
      subtest('a part of about:blank', ({ fetch }) =>
        typeError(fetch('about:blank', { headers: { range: 'bytes=1-10' } })),
      ),
    ],
  },
  {
    file: 'basic/scheme-blob.sub.any.js',
    subtests: [
      ...blobs.map(([name, make, text, type]) =>
        subtest(`a blob: address of ${name}`, async ({ fetch }) => {
          const url = URL.createObjectURL(make());
          const response = await fetch(url);
          equal([response.status, response.type, await response.text()], [200, 'basic', text]);
          equal(response.headers.get('content-type') ?? '', type);
          equal(response.headers.get('content-length'), String(make().size));
        }),
      ),
      ...['blob:https://www.localhost/', 'blob:not-backed-by-a-blob/'].map(url =>
        subtest(`${url}, which is none`, ({ fetch }) => typeError(fetch(url))),
      ),
      ...['POST', 'OPTIONS', 'HEAD', 'PUT', 'DELETE', 'INVALID'].map(method =>
        subtest(`${method} at a blob: address`, ({ fetch }) =>
          typeError(fetch(URL.createObjectURL(new Blob(['data'])), { method })),
        ),
      ),
    ],
  },
  {
    file: 'basic/scheme-data.any.js',
    subtests: [
      ...dataUrls.map(([url, init, text, type]) =>
        subtest(`${init.method ?? init.mode ?? 'GET'} ${url}`, async ({ fetch }) => {
          const response = await fetch(url, init);
          equal([response.status, response.statusText, response.type], [200, 'OK', 'basic']);
          equal([response.headers.get('content-type'), await response.text()], [type, text]);
        }),
      ),
      subtest('a data: address that is none', ({ fetch }) => typeError(fetch('data:notAdataUrl.com'))),
    ],
  },
  {
    file: 'basic/scheme-others.sub.any.js',
    subtests: others.map(scheme =>
      subtest(`${scheme}:`, ({ fetch, origin }) => typeError(fetch(origin.replace('https', scheme)))),
    ),
  },
];
