import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../src/relay/index.js';
import { type EchoServer, startEchoServer } from '../support/echo-server.js';
import { inEachEngine } from '../support/engines/each.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const pki = new OpensslPki('Test CA');
const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
const file = Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
let server: EchoServer;
let relay: Relay;
let pages: UserPages;

beforeAll(async () => {
  server = await startEchoServer(pki);
  pages = await startUserPages({ connect: 'data: blob:' });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [server.host], origins: [pages.origin] });
}, 60_000);

afterAll(async () => {
  await relay?.close();
  server?.stop();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    const setting = () => ({ tunnel: relay.url, anchor: pki.ca.cert, host: server.host, content: file });

    it('takes the objects of another frame', async () => {
      const found = await browser.run(async ({ tunnel, anchor, host, content }) => {
        const { createClient, openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret' });
        const frame = document.createElement('iframe');
        document.body.append(frame);
        const other = frame.contentWindow as unknown as typeof globalThis;
        const client = await createClient({ tunnel, identities, trust: { anchors: [anchor] } });
        const url = `https://${host}/`;
        const method = 'POST';
        const sent = async (response: Promise<Response>) => (await response).text();
        const form = new other.FormData();
        form.set('name', 'value');
        const stream = new other.ReadableStream({
          start(controller) {
            controller.enqueue(new other.TextEncoder().encode('a stream'));
            controller.close();
          },
        });
        const fetched = [
          await sent(client.fetch(new other.Request(url, { method, body: 'a request' }))),
          await sent(client.fetch(new other.URL(url), { method, body: new other.Blob(['a blob']) })),
          await sent(client.fetch(url, { method, body: stream })),
          (await sent(client.fetch(url, { method, body: form }))).includes('value'),
          await client
            .fetch(url, { signal: other.AbortSignal.abort('given up') })
            .then(({ status }) => status, String),
        ];
        const socket = new client.WebSocket(`wss://${host}/`);
        socket.binaryType = 'arraybuffer';
        const received: unknown[] = [];
        await new Promise<void>((resolve, reject) => {
          socket.onerror = event => reject((event as unknown as { error: Error }).error);
          socket.onopen = () => {
            socket.send(new other.Uint8Array([1, 2]).buffer);
            socket.send(new other.Uint16Array([3]));
            socket.send(new other.Blob([new Uint8Array([4])]));
          };
          socket.onmessage = ({ data }) => {
            received.push(typeof data === 'string' ? 'text' : Array.from(new Uint8Array(data)).join());
            if (received.length === 4) resolve();
          };
        });
        await client.close();
        frame.remove();
        return { fetched, received };
      }, setting());
      expect(found).toEqual({
        fetched: ['a request', 'a blob', 'a stream', true, 'given up'],
        received: ['text', '1,2', '3,0', '4'],
      });
    }, 60_000);

    it('may stand in the place of the globals', async () => {
      const found = await browser.run(async ({ tunnel, anchor, host, content }) => {
        const { createClient, evaluateTrust, openPkcs12 } = globalThis.library;
        const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
        const { identities } = await openPkcs12(bytes, { password: 'secret' });
        const options = { tunnel, identities, trust: { anchors: [anchor] } };
        const first = await createClient(options);
        const own = { fetch: globalThis.fetch, WebSocket: globalThis.WebSocket };
        Object.assign(globalThis, { fetch: first.fetch, WebSocket: first.WebSocket });
        try {
          const second = await createClient(options);
          const text = async (url: string, client = globalThis as Pick<typeof globalThis, 'fetch'>) =>
            (
              await client.fetch(url, url.startsWith('https') ? { method: 'POST', body: 'hello' } : {})
            ).text();
          const texts = [
            await text('data:,hello'),
            await text(URL.createObjectURL(new Blob(['hello']))),
            await text(`https://${host}/`),
            await text(`https://${host}/`, second),
          ];
          const { code } = await evaluateTrust(anchor, { anchors: 'mozilla' });
          await second.close();
          return { texts, code };
        } finally {
          Object.assign(globalThis, own);
          await first.close();
        }
      }, setting());
      expect(found).toEqual({ texts: Array(4).fill('hello'), code: 'ERR_TLS_CERT_UNTRUSTED' });
    }, 60_000);
  },
);
