import { transformWithOxc } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { exampleText } from '../support/documented.js';
import { type EchoServer, startEchoServer } from '../support/echo-server.js';
import { inEachEngine, pageReady } from '../support/engines/each.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type PageServer, startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder, builtRelay } from '../support/user-page.js';

type Library = typeof import('../../src/index.js');

interface WorkerScope {
  library: Library;
  askPage: import('../../src/index.js').ChallengeHandler;
  /** Gives the worker's client to `answerRequests`. */
  started(client: import('../../src/index.js').MtlsClient): void;
  kept: unknown;
}

interface Example {
  fetchIn(
    worker: Worker,
    url: string,
    init?: RequestInit,
  ): Promise<{ status: number; headers: [string, string][]; body: ArrayBuffer }>;
  answerChallenges(worker: Worker, picker: Element): void;
}

declare global {
  // Set by the page's own script.
  var library: Library;
  var example: Example;
  var worker: Worker;
  /** Runs a function in the worker, which uses nothing from outside. */
  var inWorker: <Given, Result>(
    act: (scope: WorkerScope, given: Given) => Promise<Result>,
    given: Given,
    transfer?: Transferable[],
  ) => Promise<Result>;
}

const WORKER = `import * as library from '/lib/index.js';
import { answerRequests, askPage } from '/worker-example.js';
Object.assign(self, { library, askPage });
self.addEventListener('message', async event => {
  const { act, given } = event.data;
  if (!act) return;
  event.stopImmediatePropagation();
  const outcome = await (0, eval)('(' + act + ')')(self, given).then(value => ({ value }), ({ code, message }) => ({ failure: code + ': ' + message }));
  event.ports[0].postMessage(outcome);
});
answerRequests(new Promise(resolve => { self.started = resolve; }));
`;
const PAGE = `<!doctype html><title>loading</title><identity-picker></identity-picker><script type="module">
import * as library from '/lib/index.js';
import * as example from '/page-example.js';
import '/lib/elements.js';
const worker = new Worker('/worker.js', { type: 'module' });
const inWorker = (act, given, transfer = []) => {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ act: String(act), given }, [port2, ...transfer]);
  return new Promise((resolve, reject) => {
    port1.onmessage = ({ data }) => 'failure' in data ? reject(new Error(data.failure)) : resolve(data.value);
  });
};
Object.assign(globalThis, { library, example, worker, inWorker });
example.answerChallenges(worker, document.querySelector('identity-picker'));
document.title = 'ready';
</script>`;

const pki = new OpensslPki('Test CA');
let pages: PageServer;
let server: EchoServer;
let relay: Relay;
let given: { file: string; anchor: string; tunnel: string; host: string };

/** The block that exports the name, as JavaScript. */
async function script(name: string): Promise<string> {
  const { code } = await transformWithOxc(exampleText('docs/worker.md', name), `${name}.ts`);
  return code;
}

beforeAll(async () => {
  const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
  server = await startEchoServer(pki);
  pages = await startPages({
    pages: {
      '/': PAGE,
      '/worker.js': WORKER,
      '/worker-example.js': await script('answerRequests'),
      '/page-example.js': await script('fetchIn'),
    },
    folders: { '/lib/': builtFolder() },
  });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [server.host], origins: [pages.origin] });
  given = {
    file: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
    anchor: pki.ca.cert,
    tunnel: relay.url,
    host: server.host,
  };
}, 60_000);

afterAll(async () => {
  await relay?.close();
  server?.stop();
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  (browser, name) => {
    it('answers the requests of a page, which shows its challenges in a picker', async () => {
      const seen = await browser.run(async ({ file, anchor, tunnel, host }) => {
        const store = await globalThis.library.IdentityStore.open();
        const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
        const { identities } = await globalThis.library.openPkcs12(bytes, { password: 'secret' });
        for (const identity of identities) await store.add(identity, { label: 'Ada', hosts: ['localhost'] });
        await globalThis.inWorker(
          async (scope, options) => {
            const { createClient, IdentityStore } = scope.library;
            const identities = await IdentityStore.open();
            const client = await createClient({ ...options, identities, onChallenge: scope.askPage });
            scope.started(client);
          },
          { tunnel, trust: { anchors: [anchor] } },
        );
        const picker = document.querySelector('identity-picker')?.shadowRoot;
        const button = async (part: string) => {
          for (;;) {
            const found = picker?.querySelector<HTMLElement>(`[part~="${part}"]`);
            if (found) return found;
            await new Promise(resolve => setTimeout(resolve, 20));
          }
        };
        const { fetchIn } = globalThis.example;
        const { worker } = globalThis;
        const cancelled = fetchIn(worker, `https://${host}/`).catch(error => error);
        (await button('cancel')).click();
        const failure = await cancelled;
        const answering = fetchIn(worker, `https://${host}/`, { method: 'POST', body: 'sent' });
        const label = (await button('option')).textContent;
        (await button('use')).click();
        const { status, body } = await answering;
        await store.delete({ label: 'Ada' });
        store.close();
        return { status, body: new TextDecoder().decode(body), label, code: failure.code };
      }, given);
      expect(seen).toMatchObject({ status: 200, body: 'sent', code: 'ERR_TLS_CHALLENGE_CANCELLED' });
      expect(seen.label).toContain('Ada');
    });

    it('closes the picker of a request that is aborted', async () => {
      await browser.reload();
      await pageReady(browser);
      const outcome = await browser.run(async ({ anchor, tunnel, host }) => {
        const asking = globalThis.inWorker(
          async (scope, { server: name, ...options }) => {
            const { createClient, IdentityStore } = scope.library;
            const identities = await IdentityStore.open();
            const client = await createClient({ ...options, identities, onChallenge: scope.askPage });
            const signal = AbortSignal.timeout(1_000);
            return client.fetch(`https://${name}/`, { signal }).catch(({ name: reason }) => reason);
          },
          { tunnel, trust: { anchors: [anchor] }, server: host },
        );
        const picker = document.querySelector('identity-picker')?.shadowRoot;
        const isShown = () => picker?.querySelector('[part~="cancel"]') !== null;
        const becomes = async (shown: boolean) => {
          while (isShown() !== shown) await new Promise(resolve => setTimeout(resolve, 20));
        };
        await becomes(true);
        const reason = await asking;
        await becomes(false);
        return reason;
      }, given);
      expect(outcome).toBe('TimeoutError');
    });

    it('has a WebSocket, with an identity that the page has opened', async () => {
      const texts = await browser.run(async ({ file, anchor, tunnel, host }) => {
        const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
        const { identities } = await globalThis.library.openPkcs12(bytes, { password: 'secret' });
        return globalThis.inWorker(
          async (scope, { server: name, ...options }) => {
            const client = await scope.library.createClient(options);
            const socket = new client.WebSocket(`wss://${name}/`);
            const received: string[] = [];
            await new Promise<void>((resolve, reject) => {
              socket.onerror = event => reject((event as unknown as { error: Error }).error);
              socket.onopen = () => socket.send('sent');
              socket.onmessage = ({ data }) => {
                received.push(data);
                if (data === 'sent') resolve();
              };
            });
            await client.close();
            return received;
          },
          { tunnel, trust: { anchors: [anchor] }, identities, server: host },
        );
      }, given);
      expect(texts).toEqual([expect.stringMatching(/^Ada from http/), 'sent']);
    });

    it('gives the page a body as a stream, except in WebKit', async () => {
      const seen = await browser.run(async ({ file, anchor, tunnel, host }) => {
        const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
        const { identities } = await globalThis.library.openPkcs12(bytes, { password: 'secret' });
        const { port1, port2 } = new MessageChannel();
        const received = new Promise<ReadableStream<Uint8Array>>(resolve => {
          port1.onmessage = ({ data }) => resolve(data);
        });
        const outcome = await globalThis.inWorker(
          async (scope, { server: name, port, ...options }) => {
            const client = await scope.library.createClient(options);
            const { body } = await client.fetch(`https://${name}/`, {
              method: 'POST',
              body: new Blob([new Uint8Array(1_000_000)]),
            });
            try {
              port.postMessage(body, [body as ReadableStream]);
              return 'transferred';
            } catch (error) {
              return (error as DOMException).name;
            }
          },
          { tunnel, trust: { anchors: [anchor] }, identities, server: host, port: port2 },
          [port2],
        );
        if (outcome !== 'transferred') return outcome;
        return (await new Response(await received).arrayBuffer()).byteLength;
      }, given);
      expect(seen).toBe(name === 'WebKitGTK' ? 'DataCloneError' : 1_000_000);
    });

    it('cannot ask for user verification by WebAuthn', async () => {
      const code = await browser.run(async ({ file }) => {
        const bytes = Uint8Array.from(atob(file), it => it.charCodeAt(0));
        return globalThis.inWorker(async (scope, content) => {
          const { IdentityStore, openPkcs12, webAuthnVerification } = scope.library;
          const { identities } = await openPkcs12(content, { password: 'secret', sealedCopy: true });
          const store = await IdentityStore.open({ name: 'verified', verification: webAuthnVerification() });
          const [identity] = identities;
          if (!identity) return 'no identity';
          return store.add(identity, { userVerification: 'required' }).then(
            () => 'added',
            error => error.code,
          );
        }, bytes);
      }, given);
      expect(code).toBe('ERR_VERIFICATION_UNAVAILABLE');
    });

    it.each([
      ['keeps a session over a reload where the page opens the store first', ['page', 'worker'], 1],
      ['ends it where the worker does', ['worker', 'page'], 0],
    ] as const)('%s', async (title, order, count) => {
      const open = (places: readonly string[], label: string, file?: string) =>
        browser.run(
          async (where, storeName, content) => {
            const bytes = content && Uint8Array.from(atob(content), it => it.charCodeAt(0));
            let identities = 0;
            for (const place of where) {
              if (place === 'page') {
                (globalThis as { kept?: unknown }).kept = await globalThis.library.IdentityStore.open({
                  name: storeName,
                });
                continue;
              }
              identities = await globalThis.inWorker(
                async (scope, options) => {
                  const store = await scope.library.IdentityStore.open({ name: options.storeName });
                  scope.kept = store;
                  if (options.bytes) {
                    const opened = await scope.library.openPkcs12(options.bytes, { password: 'secret' });
                    for (const identity of opened.identities)
                      await store.add(identity, { persistence: 'session' });
                  }
                  return (await store.find()).length;
                },
                { storeName, bytes },
              );
            }
            return identities;
          },
          places,
          label,
          file ?? '',
        );
      expect(await open(['page', 'worker'], title, given.file)).toBe(1);
      await browser.reload();
      await pageReady(browser);
      expect(await open(order, title)).toBe(count);
    });
  },
);
