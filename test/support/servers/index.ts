import { startNginx } from '../nginx.js';
import { startNodeServer } from '../node-server.js';
import { startOpensslServer } from '../openssl-server.js';
import { apache } from './apache.js';
import { caddy } from './caddy.js';
import { go } from './go.js';
import { haproxy } from './haproxy.js';
import { java } from './java.js';
import { tomcat } from './tomcat.js';
import type { RunningServers, ServerKind } from './types.js';

const nginx: ServerKind = {
  name: 'nginx',
  http: ['h2', 'http/1.1'],
  sumPath: '/backend/sum',
  async start(settings, backendPort) {
    const servers = settings.map(({ server, tls, clientCa, http, clientAuth, idleSeconds }) => ({
      server,
      tls,
      clientCa,
      ...(idleSeconds && { idleSeconds }),
      http2: http === 'h2',
      verifyClient: clientAuth === 'required' ? ('on' as const) : ('optional' as const),
    }));
    return startNginx(servers, { backendPort });
  },
};

const node: ServerKind = {
  name: 'Node',
  http: ['h2', 'http/1.1'],
  sumPath: '/sum',
  start: settings =>
    all(
      settings.map(({ server, tls, clientCa, http, clientAuth, idleSeconds }) =>
        startNodeServer({
          server,
          ...(idleSeconds && { idleSeconds }),
          tls,
          clientCa,
          http2: http === 'h2',
          requireClient: clientAuth === 'required',
        }),
      ),
    ),
};

/** Its own HTTP server answers every request with a page about the connection, and reads no body. */
const openssl: ServerKind = {
  name: 'OpenSSL',
  http: ['http/1.1'],
  start: settings =>
    all(
      settings.map(({ server, tls, clientCa, clientAuth }) =>
        startOpensslServer({ server, tls, clientCa, requireClient: clientAuth === 'required' }),
      ),
    ),
};

async function all(starting: Promise<{ port: number; stop(): Promise<void> }>[]): Promise<RunningServers> {
  const servers = await Promise.all(starting);
  return {
    ports: servers.map(({ port }) => port),
    async stop() {
      await Promise.all(servers.map(it => it.stop()));
    },
  };
}

const withSum = (kind: ServerKind): ServerKind => ({ sumPath: '/sum', ...kind });

/** Every kind of server that the tests know. */
export const serverKinds: ServerKind[] = [
  nginx,
  ...[apache, haproxy, caddy, go, java, tomcat].map(withSum),
  node,
  openssl,
];
