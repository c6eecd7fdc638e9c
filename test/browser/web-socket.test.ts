import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EchoPages, startEchoPages } from '../support/echo-pages.js';
import { inEachEngine } from '../support/engines/each.js';

let echo: EchoPages;

beforeAll(async () => {
  echo = await startEchoPages();
}, 60_000);

afterAll(() => echo?.stop());

inEachEngine(
  () => echo.pages.origin,
  browser => {
    it('opens a WebSocket over mutual TLS in the shape of its own', async () => {
      const found = await browser.run(
        async ({ relayUrl, anchor, address, content }) => {
          const { createClient, openPkcs12 } = globalThis.library;
          const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
          const { identities } = await openPkcs12(bytes, { password: 'secret' });
          const client = await createClient({ tunnel: relayUrl, identities, trust: { anchors: [anchor] } });
          const missing = Object.getOwnPropertyNames(WebSocket.prototype).filter(
            name => !(name in client.WebSocket.prototype) && !/^[A-Z]/.test(name),
          );
          const socket = new client.WebSocket(address);
          const received: unknown[] = [];
          let arrived = () => {};
          socket.onmessage = event => {
            received.push(event instanceof MessageEvent ? event.data : 'another event');
            arrived();
          };
          const until = async (count: number) => {
            while (received.length < count) {
              await new Promise<void>(resolve => {
                arrived = resolve;
              });
            }
          };
          await new Promise((resolve, reject) => {
            socket.onopen = resolve;
            socket.onerror = event => reject((event as unknown as { error: Error }).error);
          });
          const large = new Uint8Array(4 << 20).map((_it, i) => i * 7);
          socket.send('grüße');
          socket.send(new Blob(['a blob']));
          await until(3);
          socket.binaryType = 'arraybuffer';
          socket.send(large);
          await until(4);
          const closed = new Promise<CloseEvent>(resolve => {
            socket.onclose = resolve;
          });
          socket.close(3001, 'bye');
          const event = await closed;
          const nowhere = new client.WebSocket(address.replace('localhost', '127.0.0.1'));
          const failed = await new Promise<{ error: { code: string } }>(resolve => {
            nowhere.onerror = it => resolve(it as unknown as { error: { code: string } });
          });
          await client.close();
          const [who, text, blob, buffer] = received;
          const back = new Uint8Array(buffer as ArrayBuffer);
          return {
            missing,
            who,
            text,
            blob: await (blob as Blob).text(),
            same: back.length === large.length && back.every((it, i) => it === large[i]),
            close: [event instanceof CloseEvent, event.code, event.reason, event.wasClean],
            refused: failed.error.code,
          };
        },
        {
          relayUrl: echo.relay.url,
          anchor: echo.pki.ca.cert,
          address: `wss://${echo.server.host}/`,
          content: echo.file,
        },
      );
      expect(found).toEqual({
        missing: [],
        who: `Ada from ${echo.pages.origin}`,
        text: 'grüße',
        blob: 'a blob',
        same: true,
        close: [true, 3001, 'bye', true],
        refused: 'ERR_TUNNEL_DENIED',
      });
    }, 60_000);
  },
);
