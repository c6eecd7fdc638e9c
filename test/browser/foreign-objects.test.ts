import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EchoPages, startEchoPages } from '../support/echo-pages.js';
import { inEachEngine } from '../support/engines/each.js';

let echo: EchoPages;

beforeAll(async () => {
  echo = await startEchoPages({ connect: 'data: blob:' });
}, 60_000);

afterAll(() => echo?.stop());

inEachEngine(
  () => echo.pages.origin,
  browser => {
    const setting = () => ({
      tunnel: echo.relay.url,
      anchor: echo.pki.ca.cert,
      host: echo.server.host,
      content: echo.file,
    });

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
