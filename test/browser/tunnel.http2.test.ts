import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { launchChromium } from '../support/chromium.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { freePort, type RunningProgram, startProgram } from '../support/process.js';
import { builtRelay, startUserPages, type UserPages } from '../support/user-page.js';

const pki = new OpensslPki();
const echo = createServer(socket => socket.on('error', () => {}).pipe(socket));
let pages: UserPages;
let relay: Relay;
let proxy: RunningProgram;
let origin: string;

beforeAll(async () => {
  pages = await startUserPages();
  await once(echo.listen(0, '127.0.0.1'), 'listening');
  const port = await freePort();
  origin = `https://localhost:${port}`;
  const { createRelay } = await builtRelay();
  relay = await createRelay({ allow: ['127.0.0.1:*'], origins: [origin] });
  const { cert, key } = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' });
  const pair = join(pki.folder, 'proxy.pem');
  writeFileSync(pair, cert + key);
  const config = join(pki.folder, 'haproxy.cfg');
  writeFileSync(
    config,
    `global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "%HP %HV %ST"
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 120s
frontend f
  bind 127.0.0.1:${port} ssl crt ${pair} alpn h2,http/1.1
  use_backend relay if { path /tunnel }
  default_backend pages
backend relay
  http-request set-path /
  server relay 127.0.0.1:${relay.address.port}
backend pages
  server pages ${new URL(pages.origin).host}
`,
  );
  proxy = startProgram('haproxy', ['-db', '-f', config], {
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
  });
  await proxy.listensOn([port]);
});

afterAll(async () => {
  await proxy?.stop();
  await relay?.close();
  await pages?.stop();
  echo.close();
  pki.close();
});

it('the tunnel shares the HTTP/2 connection of its page through HAProxy (RFC 8441)', async () => {
  const browser = await launchChromium(['--ignore-certificate-errors']);
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/`);
    await page.waitForFunction(() => document.title === 'ready');
    const { port } = echo.address() as AddressInfo;
    const length = await page.evaluate(
      async ({ url, target }) => {
        const tunnel = globalThis.library.createWebSocketTunnel(url);
        const { readable, writable } = await tunnel.connect(target);
        const writer = writable.getWriter();
        void writer.write(new Uint8Array(1_000_000)).then(() => writer.close());
        const reader = readable.getReader();
        let received = 0;
        for (let read = await reader.read(); !read.done; read = await reader.read())
          received += read.value.length;
        tunnel.close();
        return received;
      },
      { url: `${origin.replace('https', 'wss')}/tunnel`, target: { hostname: '127.0.0.1', port } },
    );
    expect(length).toBe(1_000_000);
  } finally {
    await browser.close();
  }
  // The relay's answer of HTTP/1.1, behind a request of HTTP/2.
  const [line] = await proxy.waitFor(/\/tunnel HTTP\/\S+ \d+/);
  expect(line).toBe('/tunnel HTTP/2.0 101');
});
