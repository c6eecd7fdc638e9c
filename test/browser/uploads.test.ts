import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const MIB = 1 << 20;

const pki = new OpensslPki('Test CA');
const targets: NodeServer[] = [];
let pages: UserPages;
let relay: Relay;

beforeAll(async () => {
  pages = await startUserPages();
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false]) {
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 }));
  }
  const { createRelay } = await builtRelay();
  relay = await createRelay({
    allow: targets.map(({ port }) => `localhost:${port}`),
    origins: [pages.origin],
  });
}, 60_000);

afterAll(async () => {
  await relay?.close();
  for (const target of targets) await target.stop();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    const inPage = { anchor: pki.ca.cert };

    it.each([
      ['h2', 0, 'init'],
      ['http/1.1', 1, 'init'],
      ['h2', 0, 'client.Request'],
      ['http/1.1', 1, 'client.Request'],
    ] as const)('streams 24 MiB up over %s, and tells of it (%i, %s)', async (_protocol, index, way) => {
      const before = targets[index]?.requests('/sum') ?? 0;
      const seen = await browser.run(
        async ({ anchor, tunnel, address, size, way }) => {
          const client = await globalThis.library.createClient({ tunnel, trust: { anchors: [anchor] } });
          let left = size;
          const body = new ReadableStream<Uint8Array>({
            pull(controller) {
              controller.enqueue(new Uint8Array(65_536).fill(7));
              left -= 65_536;
              if (left === 0) controller.close();
            },
          });
          const steps: number[] = [];
          const init = {
            method: 'POST',
            body,
            onUploadProgress: ({ bytes }: { bytes: number }) => steps.push(bytes),
          };
          const response = await (way === 'init'
            ? client.fetch(address, init)
            : client.fetch(new client.Request(address, init)));
          const { length } = (await response.json()) as { length: number };
          await client.close();
          const rising = steps.every((bytes, at) => at === 0 || bytes > (steps[at - 1] ?? 0));
          return { length, rising, last: steps.at(-1) };
        },
        {
          ...inPage,
          tunnel: relay.url,
          address: `https://localhost:${targets[index]?.port}/sum`,
          size: 24 * MIB,
          way,
        },
      );
      expect(seen).toEqual({ length: 24 * MIB, rising: true, last: 24 * MIB });
      expect(targets[index]?.requests('/sum')).toBe(before + 1);
    });

    it.each([
      ['h2', 0],
      ['http/1.1', 1],
    ] as const)(
      'sends 9 MiB of bytes, of a Blob and of a form over %s as they were (%i)',
      async (_, index) => {
        const seen = await browser.run(
          async ({ anchor, tunnel, address, size }) => {
            const client = await globalThis.library.createClient({ tunnel, trust: { anchors: [anchor] } });
            const bytes = Uint8Array.from({ length: size }, (_, at) => at % 251);
            const form = new FormData();
            form.set('file', new File([bytes], 'file'));
            const hex = (digest: ArrayBuffer) =>
              Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
            const expected = hex(await crypto.subtle.digest('SHA-256', bytes));
            const send = async (body: BodyInit, way: 'init' | 'client.Request' = 'init') => {
              const init = { method: 'POST', body };
              const answer =
                way === 'init'
                  ? client.fetch(address, init)
                  : client.fetch(new client.Request(address, init));
              if (body instanceof Uint8Array) body.fill(0);
              return (await (await answer).json()) as { length: number; sha256: string };
            };
            const sums = [
              await send(bytes.slice()),
              await send(new Blob([bytes])),
              await send(bytes.slice(), 'client.Request'),
              await send(new Blob([bytes]), 'client.Request'),
            ].map(({ length, sha256 }) => length === size && sha256 === expected);
            const { length } = await send(form);
            await client.close();
            return { sums, formIsLonger: length > size && length < size + 1000 };
          },
          {
            ...inPage,
            tunnel: relay.url,
            address: `https://localhost:${targets[index]?.port}/sum`,
            size: 9 * MIB,
          },
        );
        expect(seen).toEqual({ sums: [true, true, true, true], formIsLonger: true });
      },
    );

    it('sends over the connection that was made ahead', async () => {
      const before = targets[0]?.connections() ?? 0;
      const status = await browser.run(
        async ({ anchor, tunnel, address }) => {
          const client = await globalThis.library.createClient({ tunnel, trust: { anchors: [anchor] } });
          await client.preconnect(address);
          const { status } = await client.fetch(address, { method: 'POST', body: 'x' });
          const refused = await client
            .preconnect('https://nowhere.invalid/')
            .catch((error: { code: string }) => error.code);
          await client.close();
          return [status, refused];
        },
        { ...inPage, tunnel: relay.url, address: `https://localhost:${targets[0]?.port}/sum` },
      );
      expect(status).toEqual([200, 'ERR_TUNNEL_DENIED']);
      expect(targets[0]?.connections()).toBe(before + 1);
    });

    it.each(['init', 'client.Request'] as const)('talks both ways at once over h2 (%s)', async given => {
      const heard = await browser.run(
        async ({ anchor, tunnel, address, way }) => {
          const client = await globalThis.library.createClient({ tunnel, trust: { anchors: [anchor] } });
          let line: ReadableStreamDefaultController<Uint8Array> | undefined;
          const body = new ReadableStream<Uint8Array>({
            start: controller => {
              line = controller;
            },
          });
          const say = (text: string) => line?.enqueue(new TextEncoder().encode(text));
          say('one');
          const init = { method: 'POST', body };
          const response = await (way === 'init'
            ? client.fetch(address, init)
            : client.fetch(new client.Request(address, init).clone()));
          const reader = response.body?.getReader();
          const heard: string[] = [];
          for (const next of ['two', 'three', '']) {
            heard.push(new TextDecoder().decode((await reader?.read())?.value));
            if (next) say(next);
          }
          line?.close();
          heard.push(String((await reader?.read())?.done));
          await client.close();
          return heard;
        },
        { ...inPage, tunnel: relay.url, address: `https://localhost:${targets[0]?.port}/echo`, way: given },
      );
      expect(heard).toEqual(['one', 'two', 'three', 'true']);
    });

    it('is held back by a server that does not read', async () => {
      const taken = await browser.run(
        async ({ anchor, tunnel, address }) => {
          const client = await globalThis.library.createClient({ tunnel, trust: { anchors: [anchor] } });
          let bytes = 0;
          const body = new ReadableStream<Uint8Array>({
            pull(controller) {
              bytes += 65_536;
              controller.enqueue(new Uint8Array(65_536));
            },
          });
          const abort = new AbortController();
          const fetching = client
            .fetch(address, { method: 'POST', body, signal: abort.signal })
            .catch((error: unknown) => error);
          let before = -1;
          while (before !== bytes) {
            before = bytes;
            await new Promise(resolve => setTimeout(resolve, 700));
          }
          abort.abort('enough');
          const reason = await fetching;
          await client.close();
          return { bytes, reason };
        },
        { ...inPage, tunnel: relay.url, address: `https://localhost:${targets[0]?.port}/wait` },
      );
      expect(taken.reason).toBe('enough');
      expect(taken.bytes).toBeLessThan(16 * MIB);
    });
  },
);
