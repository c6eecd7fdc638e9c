import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { createRelay, type RelayEvent, type RelayOptions } from '../../relay/src/index.js';
import {
  connect,
  ORIGIN,
  pageWebSocket,
  startEcho,
  tunnelTo,
  until,
} from '../../relay/test/support/harness.js';
import { createWebSocketTunnel } from '../../src/tunnel/websocket-tunnel.js';
import { SUBPROTOCOL } from '../../src/tunnel/wire/limits.js';
import { freePort, startProgram } from '../support/process.js';

/** A relay behind a proxy. */
async function startRelay(options: RelayOptions) {
  const echo = await startEcho();
  const events: RelayEvent[] = [];
  const relay = await createRelay({
    ...{ origins: [ORIGIN], allow: [`127.0.0.1:${echo.port}`], trustedProxies: ['127.0.0.1'] },
    ...{ log: event => events.push(event) },
    ...options,
  });
  onTestFinished(() => relay.close());
  return { relay, events, port: echo.port };
}

async function startProxy(
  program: string,
  { name, config, port }: { name: string; config: string; port: number },
) {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-proxy-'));
  const file = join(folder, name);
  writeFileSync(file, config.replaceAll('FOLDER', folder));
  const args = program === 'nginx' ? ['-e', 'stderr', '-p', folder, '-c', file] : ['-db', '-f', file];
  const running = startProgram(program, args, { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
  onTestFinished(async () => {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await running.listensOn([port]);
}

function startNginx(port: number, relayPort: number): Promise<void> {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    path => `${path}_temp_path FOLDER/${path};`,
  );
  const config = `daemon off; master_process off; pid FOLDER/pid; error_log stderr notice;
    events { worker_connections 256; }
    http {
      access_log off; ${paths.join(' ')}
      server {
        listen 127.0.0.1:${port};
        location = /tunnel {
          proxy_pass http://127.0.0.1:${relayPort}/;
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection upgrade;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }
      }
    }`;
  return startProxy('nginx', { name: 'nginx.conf', config, port });
}

function startHaproxy(port: number, relayPort: number, how: string): Promise<void> {
  const config = `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 120s
frontend f
  bind 127.0.0.1:${port}
  default_backend relays
backend relays
  http-request set-path /
  ${how === 'forwardfor' ? 'option forwardfor' : ''}
  server r 127.0.0.1:${relayPort} ${how === 'forwardfor' ? '' : how}
`;
  return startProxy('haproxy', { name: 'haproxy.cfg', config, port });
}

const proxies: [string, RelayOptions, (port: number, relayPort: number) => Promise<void>][] = [
  ['nginx, X-Forwarded-For', {}, startNginx],
  ['HAProxy, X-Forwarded-For', {}, (port, relayPort) => startHaproxy(port, relayPort, 'forwardfor')],
  [
    'HAProxy, PROXY version 1',
    { proxyProtocol: true },
    (port, relayPort) => startHaproxy(port, relayPort, 'send-proxy'),
  ],
  [
    'HAProxy, PROXY version 2',
    { proxyProtocol: true },
    (port, relayPort) => startHaproxy(port, relayPort, 'send-proxy-v2'),
  ],
];

/** A page with an address of its own, which claims another one. */
function spoofing(localAddress: string): typeof globalThis.WebSocket {
  class SpoofingWebSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      const headers = {
        'X-Forwarded-For': '198.51.100.7',
        Forwarded: 'for=198.51.100.7',
        'X-Real-IP': '198.51.100.7',
      };
      super(url, protocols, { origin: ORIGIN, localAddress, headers });
    }
  }
  return SpoofingWebSocket as unknown as typeof globalThis.WebSocket;
}

test.each(proxies)(
  '%s: the page’s own address counts, whatever it claims',
  async (_name, options, startProxy) => {
    const { relay, events, port } = await startRelay(options);
    const proxyPort = await freePort();
    await startProxy(proxyPort, relay.address.port);
    for (const localAddress of ['127.0.0.2', '127.0.0.3']) {
      const WebSocket = spoofing(localAddress);
      const tunnel = createWebSocketTunnel(`ws://127.0.0.1:${proxyPort}/tunnel`, { WebSocket });
      const { reader, writer } = await connect(tunnel, port);
      await writer.write(Uint8Array.of(7));
      expect((await reader.read()).value).toEqual(Uint8Array.of(7));
      await until(() =>
        events.some(event => event.type === 'opened' && event.remoteAddress === localAddress),
      );
      await reader.cancel();
    }
    expect(JSON.stringify(events)).not.toContain('198.51.100.7');
  },
);

test('without a proxy nobody’s header counts', async () => {
  const { relay, events, port } = await startRelay({});
  const { reader, writer } = await connect(tunnelTo(relay, { WebSocket: spoofing('127.0.0.2') }), port);
  await writer.write(Uint8Array.of(7));
  await reader.read();
  expect(events).toContainEqual(expect.objectContaining({ type: 'opened', remoteAddress: '127.0.0.2' }));
});

test('a flood through the proxy takes the budget of its own address, and others get in', async () => {
  const { relay, port } = await startRelay({ maxUnproven: 40, maxUnprovenPerAddress: 10 });
  const proxyPort = await freePort();
  await startHaproxy(proxyPort, relay.address.port, 'forwardfor');
  const url = `ws://127.0.0.1:${proxyPort}/tunnel`;
  const silent = Array.from({ length: 100 }, () => {
    const webSocket = new WebSocket(url, SUBPROTOCOL, { origin: ORIGIN, localAddress: '127.0.0.2' });
    webSocket.on('error', () => {});
    return webSocket;
  });
  onTestFinished(() => {
    for (const webSocket of silent) webSocket.terminate();
  });
  await until(() => silent.filter(({ readyState }) => readyState > 1).length >= 80);
  const { reader, writer } = await connect(createWebSocketTunnel(url, { WebSocket: pageWebSocket() }), port);
  await writer.write(Uint8Array.of(7));
  expect((await reader.read()).value).toEqual(Uint8Array.of(7));
});
