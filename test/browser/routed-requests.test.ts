import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import type { MtlsClient } from '../../src/index.js';
import { pageReady } from '../support/engines/each.js';
import type { BrowserEngine } from '../support/engines/engine.js';
import { openChromium, openFirefox } from '../support/engines/playwright.js';
import { openWebKit } from '../support/engines/webkit.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { type PageServer, startPages } from '../support/pages.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtFolder, builtRelay } from '../support/user-page.js';

declare global {
  var toolkit: typeof import('../../src/index.js') & typeof import('../../src/service-worker/index.js');
  var routed: { client: MtlsClient; errors: string[]; stop(): void };
}

const serviceWorker = (origin: string) => `import { routeRequests } from '/lib/service-worker.js';
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
routeRequests({ origins: ['${origin}'] });
`;
const page = `<!doctype html><title>loading</title><script type="module">
import * as library from '/lib/index.js';
import * as routing from '/lib/service-worker.js';
globalThis.toolkit = { ...library, ...routing };
document.title = 'ready';
</script>`;
const dedicatedWorker = `self.onmessage = async ({ data }) => self.postMessage(await (await fetch(data)).json());`;

let pages: PageServer;
let node: NodeServer;
let relay: Relay;
let origin: string;
let settings: { file: string; anchor: string; tunnel: string };

beforeAll(async () => {
  const pki = new OpensslPki('Test CA');
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  const client = pki.issue({ subject: '/CN=Ada', kind: 'p256', usage: 'clientAuth' });
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  origin = `https://localhost:${node.port}`;
  pages = await startPages({
    pages: {
      '/': page,
      '/service-worker.js': serviceWorker(origin),
      '/worker.js': dedicatedWorker,
    },
    folders: { '/lib/': builtFolder() },
  });
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: [`localhost:${node.port}`], origins: [pages.origin] });
  settings = {
    file: Buffer.from(writePkcs12(client, { password: 'secret', legacy: false })).toString('base64'),
    anchor: pki.ca.cert,
    tunnel: relay.url,
  };
  pki.close();
});

afterAll(async () => {
  await relay?.close();
  await node?.stop();
  await pages?.stop();
});

describe.each([
  ['Chromium', openChromium],
  ['Firefox', openFirefox],
  ['WebKit', openWebKit],
])('requests that a service worker routes, in %s', (_, launch) => {
  let browser: BrowserEngine;
  beforeAll(async () => {
    browser = await launch();
    await browser.open(`${pages.origin}/`);
    await pageReady(browser);
    await browser.run(async given => {
      const { createClient, openPkcs12, serveRequests } = globalThis.toolkit;
      const bytes = Uint8Array.from(atob(given.file), it => it.charCodeAt(0));
      const { identities } = await openPkcs12(bytes, { password: 'secret' });
      const client = await createClient({
        tunnel: given.tunnel,
        identities,
        trust: { anchors: [given.anchor] },
      });
      const errors: string[] = [];
      const onError = (error: unknown) =>
        void errors.push(String((error as { code?: string }).code ?? error));
      globalThis.routed = { client, errors, stop: serveRequests(client, { onError }) };
      await navigator.serviceWorker.register('/service-worker.js', { type: 'module' });
      if (navigator.serviceWorker.controller) return;
      await new Promise(resolve => navigator.serviceWorker.addEventListener('controllerchange', resolve));
    }, settings);
  });
  beforeEach(() => browser.run(() => void globalThis.routed.errors.splice(0)));
  afterAll(() => browser?.close());

  test('XMLHttpRequest gets an answer to its certificate, and sends a body', async () => {
    const answers = await browser.run(async server => {
      const send = (method: string, path: string, body?: Uint8Array<ArrayBuffer>) =>
        new Promise<{ status: number; text: string; type: string | null }>((resolve, reject) => {
          const request = new XMLHttpRequest();
          request.open(method, server + path);
          request.setRequestHeader('x-custom', 'kept');
          request.onload = () =>
            resolve({
              status: request.status,
              text: request.responseText,
              type: request.getResponseHeader('content-type'),
            });
          request.onerror = () => reject(new Error('a network error'));
          request.send(body ?? null);
        });
      return [
        await send('GET', '/'),
        await send('POST', '/sum', new Uint8Array(1_000_000)),
        await send('GET', '/no'),
      ];
    }, origin);
    expect(answers.map(it => it.status)).toEqual([200, 200, 404]);
    expect(answers[0]?.type).toBe('application/json');
    expect(JSON.parse(answers[0]?.text ?? '')).toMatchObject({
      subject: 'Ada',
      headers: { 'x-custom': 'kept' },
    });
    expect(JSON.parse(answers[1]?.text ?? '')).toMatchObject({ length: 1_000_000 });
  });

  test('EventSource gets events, fetch a long body, and a worker what it asks for', async () => {
    const seen = await browser.run(async server => {
      const source = new EventSource(`${server}/events?count=3`);
      const events: string[] = [];
      await new Promise<void>(resolve => {
        source.onmessage = ({ data }) => void events.push(data);
        source.onerror = () => resolve();
      });
      source.close();
      const body = await (await fetch(`${server}/bytes?size=5000000`)).arrayBuffer();
      const worker = new Worker('/worker.js');
      const subject = await new Promise(resolve => {
        worker.onmessage = ({ data }) => resolve(data.subject);
        worker.postMessage(`${server}/`);
      });
      worker.terminate();
      return { events, length: body.byteLength, subject };
    }, origin);
    expect(seen).toEqual({ events: ['1', '2', '3'], length: 5_000_000, subject: 'Ada' });
  });

  test('a response that is cut is an error for its reader, and the page is told why', async () => {
    const seen = await browser.run(async server => {
      const response = await fetch(`${server}/cut?after=1000`);
      const outcome = await response.arrayBuffer().then(
        it => it.byteLength,
        () => 'an error',
      );
      return { outcome, errors: globalThis.routed.errors };
    }, origin);
    expect(seen.outcome).toBe('an error');
    expect(seen.errors).toEqual([expect.stringMatching(/^ERR_/)]);
  });

  test('an abort ends the request at the server', async () => {
    const outcome = await browser.run(async server => {
      const controller = new AbortController();
      const response = await fetch(`${server}/events?count=1000&every=50`, { signal: controller.signal });
      const reader = response.body?.getReader();
      await reader?.read();
      controller.abort();
      return reader?.read().then(
        () => 'read',
        () => 'aborted',
      );
    }, origin);
    expect(outcome).toBe('aborted');
    await expect.poll(() => browser.run(() => globalThis.routed.errors)).toEqual([]);
  });

  test('other origins are left to the browser', async () => {
    const text = await browser.run(async () => (await fetch('/')).text());
    expect(text).toContain('<title>loading</title>');
  });
});
