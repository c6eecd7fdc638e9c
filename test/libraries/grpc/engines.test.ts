import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../../relay/src/index.js';
import { startRelay } from '../../support/client.js';
import { inEachEngine } from '../../support/engines/each.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { type PageServer, startPages } from '../../support/pages.js';
import { writePkcs12 } from '../../support/pkcs12.js';
import type { RunningServers } from '../../support/servers/types.js';
import { builtFolder } from '../../support/user-page.js';
import { PAGE, type PageTask, pageScript } from '../page-script.js';
import type { Findings } from './page.js';
import { startGo } from './programs.js';

const pki = new OpensslPki('Test CA');
let relay: Relay;
let pages: PageServer;
let servers: RunningServers;
let task: PageTask;

beforeAll(async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
  servers = await startGo({ server, clientCa: pki.ca.cert });
  relay = await startRelay();
  const script = await pageScript('test/libraries/grpc/page.ts', 'docs/grpc.md', ['grpcTransport']);
  pages = await startPages({
    pages: { '/': PAGE, '/page.js': script },
    folders: { '/lib/': builtFolder() },
  });
  task = {
    tunnel: relay.url,
    origin: `https://localhost:${servers.ports[0]}`,
    file: Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64'),
    password: 'secret',
    anchor: pki.ca.cert,
  };
}, 600_000);

afterAll(async () => {
  await pages?.stop();
  await relay?.close();
  await servers?.stop();
  pki.close();
});

inEachEngine(
  () => pages.origin,
  browser => {
    test('a page makes all four kinds of calls to grpc-go, also both ways at once', async () => {
      const found = await browser.run<[PageTask], Findings>(
        'task => script.callFromPage(script, task)',
        task,
      );
      expect(found).toEqual({
        who: 'Client',
        counted: 5050,
        joined: 'text 0 text 1 text 2 text 3 text 4',
        answers: Array.from({ length: 10 }, (_, at) => `message ${at}`),
        ended: true,
        failure: { code: Code.FailedPrecondition, details: ['why'] },
      });
    });
  },
);
