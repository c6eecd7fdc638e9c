import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeasuredBrowser } from '../support/measured-page.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const SIZE = 16 << 20;

const pki = new OpensslPki('Test CA');
const targets: NodeServer[] = [];
let browser: MeasuredBrowser;

beforeAll(async () => {
  const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  for (const http2 of [true, false])
    targets.push(await startNodeServer({ server, clientCa: pki.ca.cert, requireClient: false, http2 }));
  browser = await MeasuredBrowser.start(targets.map(({ port }) => port));
});

afterAll(async () => {
  await browser?.stop();
  for (const target of targets) await target.stop();
  pki.close();
});

/** Downloads, and counts what of the body is wrong and how much memory the client sends away meanwhile. */
const download = async (address: string) => {
  let [freedBytes, bytes, wrong] = [0, 0, 0];
  const { postMessage } = MessagePort.prototype;
  MessagePort.prototype.postMessage = function (message: unknown, transfer?: unknown) {
    for (const it of Array.isArray(transfer) ? transfer : [])
      if (it instanceof ArrayBuffer) freedBytes += it.byteLength;
    postMessage.call(this, message, transfer as StructuredSerializeOptions);
  };
  const response = await client.fetch(address);
  for (const reader = response.body?.getReader(); reader; ) {
    const { value } = await reader.read();
    if (!value) break;
    for (const byte of value) if (byte !== (bytes++ % 65_536) % 251) wrong++;
  }
  MessagePort.prototype.postMessage = postMessage;
  const { cipherSuite } = client.connectionInfo(response) ?? {};
  return { freedBytes, bytes, wrong, cipherSuite };
};

test.each([
  ['h2', 0],
  ['http/1.1', 1],
] as const)('Chromium frees messages and opened records of a download over %s at once', async (_, index) => {
  const origin = `https://localhost:${targets[index]?.port}`;
  const { page, close } = await browser.open(pki, `${origin}/`);
  const { freedBytes, ...got } = await page.evaluate(download, `${origin}/bytes?size=${SIZE}`);
  await close();
  expect(got).toEqual({ bytes: SIZE, wrong: 0, cipherSuite: 'TLS_AES_256_GCM_SHA384' });
  // Records that are cut between messages are small parts of it.
  expect(freedBytes).toBeGreaterThan(1.8 * SIZE);
});
