import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { inEachEngine } from '../support/engines/each.js';
import type {} from '../support/fetch-cases/page.js';
import { CHACHA_FIRST, type FetchServer, startFetchServer } from '../support/fetch-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
const file = Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
const servers = { h2: [] as FetchServer[], 'http/1.1': [] as FetchServer[] };
let pages: UserPages;
let relay: Relay;

beforeAll(async () => {
  pages = await startUserPages({ before: await casesScript(), connect: 'data: blob:' });
  for (const protocol of ['h2', 'http/1.1'] as const) {
    const options = { server, clientCa: pki.ca.cert, http2: protocol === 'h2' };
    const all = [options, { ...options, ciphers: CHACHA_FIRST }, { ...options, http2: false }];
    servers[protocol] = await Promise.all(all.map(it => startFetchServer(it)));
  }
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['localhost:*'], origins: [pages.origin] });
}, 60_000);

afterAll(async () => {
  await relay?.close();
  await Promise.all([...servers.h2, ...servers['http/1.1']].map(it => it.stop()));
  await pages?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    it.each(['h2', 'http/1.1'] as const)(
      'fetches over %s as the standard says, and as web-platform-tests ask for',
      async protocol => {
        const [origin = '', other = '', http1 = ''] = servers[protocol].map(it => it.origin);
        const { failed, count, report, surprises } = await browser.run(
          async ({ content, tunnel, anchor, context, where }) => {
            const { createClient, openPkcs12 } = globalThis.library;
            const { failedCases, count, wptResults, wptReport } = globalThis.cases;
            const bytes = Uint8Array.from(atob(content), it => it.charCodeAt(0));
            const opened = await openPkcs12(bytes, { password: 'secret' });
            // Some cases redirect from one server to the other.
            const controls = { hosts: ['localhost'] };
            const identities = opened.identities.map(it => ({ ...it, controls }));
            const client = await createClient({ tunnel, identities, trust: { anchors: [anchor] } });
            const whole = { ...context, fetch: client.fetch, Request: client.Request };
            const failed = await failedCases(whole);
            const results = await wptResults(whole);
            if (context.protocol === 'http/1.1') {
              const platform = globalThis.Request;
              globalThis.Request = client.Request;
              failed.push(...(await failedCases(whole)));
              globalThis.Request = platform;
            }
            await client.close();
            return { failed, count, report: wptReport(results, where), surprises: results.surprises };
          },
          {
            content: file,
            tunnel: relay.url,
            anchor: pki.ca.cert,
            context: { origin, other, http1, protocol },
            where: `${browser.name}, ${protocol}`,
          },
        );
        console.log(
          `fetch cases: ${count - failed.length} of ${count} pass (${browser.name}, ${protocol})\n${report}`,
        );
        expect(failed).toEqual([]);
        expect(surprises).toEqual([]);
      },
      240_000,
    );
  },
);

/** The cases as one script. */
async function casesScript(): Promise<string> {
  const [built] = (await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      lib: { entry: 'test/support/fetch-cases/page.ts', formats: ['es'] },
    },
  })) as Rolldown.RolldownOutput[];
  const code = built?.output[0].code;
  if (!code) throw new Error('no script of the cases was built');
  return code;
}
