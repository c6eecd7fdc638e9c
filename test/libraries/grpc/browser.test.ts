import { resolve } from 'node:path';
import { Code } from '@connectrpc/connect';
import { build, type Plugin } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../../relay/src/index.js';
import { complaintsOf, launchChromium } from '../../support/chromium.js';
import { startRelay } from '../../support/client.js';
import { exampleText } from '../../support/documented.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { type PageServer, startPages } from '../../support/pages.js';
import { writePkcs12 } from '../../support/pkcs12.js';
import { builtFolder } from '../../support/user-page.js';
import type { Findings, Task } from './page.js';
import { startGo } from './programs.js';

const HTML = `<!doctype html><meta charset="utf-8">
<script type="importmap">
{ "imports": { "browser-mtls": "/lib/index.js", "browser-mtls/connect": "/lib/connect.js" } }
</script>
<script type="module">
import { callFromPage, grpcTransport } from '/page.js';
globalThis.callFromPage = task => callFromPage(grpcTransport, task);
document.title = 'ready';
</script>`;
/** Stands for a file beside the page's script. */
const EXAMPLE = resolve('test/libraries/grpc/example.ts');
const ENTRY = resolve('test/libraries/grpc/entry.ts');

const texts: Plugin = {
  name: 'texts',
  enforce: 'pre',
  resolveId: id => ({ './example': EXAMPLE, [ENTRY]: ENTRY })[id],
  load(id) {
    if (id === EXAMPLE) return exampleText('docs/grpc.md', 'grpcTransport');
    return id === ENTRY ? `export * from './example';\nexport * from './page';\n` : undefined;
  },
};

declare global {
  // Set by the page's own script.
  var callFromPage: (task: Task) => Promise<Findings>;
}

const pki = new OpensslPki('Test CA');
let relay: Relay;
let pages: PageServer;
let server: Awaited<ReturnType<typeof startGo>>;

beforeAll(async () => {
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  [relay, server] = await Promise.all([startRelay(), startGo({ server: pair, clientCa: pki.ca.cert })]);
  pages = await startPages({
    pages: { '/': HTML, '/page.js': await pageScript() },
    folders: { '/lib/': builtFolder() },
  });
}, 600_000);

afterAll(async () => {
  await pages?.stop();
  await relay?.close();
  await server?.stop();
  pki.close();
});

async function pageScript(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [texts],
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry: ENTRY, formats: ['es'] },
      rolldownOptions: { external: ['browser-mtls', 'browser-mtls/connect'] },
    },
  });
  const [{ output } = { output: [] }] = [built].flat() as { output: { code?: string }[] }[];
  return output[0]?.code ?? '';
}

test('a page in Chromium speaks gRPC with grpc-go, both ways at once', async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    await page.goto(`${pages.origin}/`);
    await page.waitForFunction(() => document.title === 'ready');
    const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
    const found = await page.evaluate(task => globalThis.callFromPage(task), {
      tunnel: relay.url,
      baseUrl: `https://localhost:${server.ports[0]}`,
      file: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
      password: 'secret',
      anchor: pki.ca.cert,
    });
    expect(found).toEqual({
      who: 'Client',
      counted: 5050,
      answers: Array.from({ length: 10 }, (_, at) => `message ${at}`),
      ended: true,
      failure: { code: Code.FailedPrecondition, details: ['why'] },
    });
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});
