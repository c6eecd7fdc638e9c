import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

type Shown = Record<string, string>;

/** Lines of a head, and what Chromium's own fetch shows of them. */
const CASES: [lines: string, shown: Shown][] = [
  ['no colon\r\nx: y', { x: 'y' }],
  [': no name\r\nx: y', { x: 'y' }],
  ['a(b): c\r\na b: c\r\n\xe9: c\r\nx: y', { x: 'y' }],
  ['x : y', { x: 'y' }],
  ['x\t:\ty\t', { x: 'y' }],
  ['x: a  \r\n\tb\r\n c: d ', { x: 'a   b c: d' }],
  ['x:\r\n y', { x: 'y' }],
  [' first\r\nx: y', { x: 'y' }],
  ['no colon\r\n fold\r\nx: y', { x: 'y' }],
  ['x: \x01a\x0bb\x1f\x7f', { x: '\x01a\x0bb\x1f\x7f' }],
  ['x: \xe9\xff', { x: '\xe9\xff' }],
  ['x: 1\r\nx : 2\r\nX: 3\r\n 4', { x: '1, 2, 3 4' }],
  ['x: y\r\ntransfer-encoding: identity', { x: 'y', 'transfer-encoding': 'identity' }],
  ['x: y\r\nset-cookie : a=b', { x: 'y' }],
];
const MORE = 'access-control-allow-origin: *\r\naccess-control-expose-headers: *\r\ncontent-length: 2';

const pki = new OpensslPki('Test CA');
const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
let pages: UserPages;
let relay: Relay;
let plain: Server;
let secure: Server;

/** Answers `/N` with the lines of case N. */
function answer(socket: Socket): void {
  socket.on('error', () => {});
  socket.on('data', request => {
    const [lines] = CASES[Number(/^GET \/(\d+)/.exec(String(request))?.[1])] ?? [];
    const head = `HTTP/1.1 200 Gr\xfcn\r\n${lines}\r\n${MORE}\r\n\r\nok`;
    socket.write(head, 'latin1');
  });
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  pages = await startUserPages({ connect: 'http://127.0.0.1:*' });
  plain = createServer(answer).listen(0, '127.0.0.1');
  secure = createTlsServer({ ...pair, ALPNProtocols: ['http/1.1'] }, answer).listen(0, '127.0.0.1');
  await Promise.all([plain, secure].map(it => once(it, 'listening')));
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['localhost:*'], origins: [pages.origin] });
}, 60_000);

afterAll(async () => {
  await relay?.close();
  plain?.close();
  secure?.close();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  (browser, name) => {
    it('are shown as Chromium itself shows them', async () => {
      const { own, library } = await browser.run(
        async ({ count, ports, tunnel, anchor }) => {
          const { createClient } = globalThis.library;
          const client = await createClient({ tunnel, trust: { anchors: [anchor] } });
          const seen = async (fetch: typeof globalThis.fetch, origin: string) => {
            const all: [string, string, Record<string, string>][] = [];
            for (let at = 0; at < count; at++) {
              const response = await fetch(`${origin}/${at}`);
              const headers = Object.fromEntries(response.headers);
              for (const field of ['allow-origin', 'expose-headers'])
                delete headers[`access-control-${field}`];
              delete headers['content-length'];
              all.push([response.statusText, await response.text(), headers]);
            }
            return all;
          };
          const library = await seen(client.fetch, `https://localhost:${ports.secure}`);
          await client.close();
          return { own: await seen(fetch, `http://127.0.0.1:${ports.plain}`), library };
        },
        {
          count: CASES.length,
          ports: { plain: portOf(plain), secure: portOf(secure) },
          tunnel: relay.url,
          anchor: pki.ca.cert,
        },
      );
      const expected = CASES.map(([, shown]) => ['Gr\xfcn', 'ok', shown]);
      expect(library).toEqual(expected);
      if (name === 'Chromium') expect(own).toEqual(expected);
    });
  },
);
