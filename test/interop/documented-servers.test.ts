import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { codeOf, insistOn, startRelay, withClient } from '../support/client.js';
import { blockOf } from '../support/documented.js';
import { type NodeServer, startPlainServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { freePort, type RunningProgram, startProgram } from '../support/process.js';
import { apacheMain } from '../support/servers/apache.js';
import { ServerFolder, served } from '../support/servers/folder.js';
import type { RunningServers } from '../support/servers/types.js';

/** Go's standard library is compiled on the first run. */
const START_TIMEOUT_MS = 6 * 60_000;

const pki = new OpensslPki('Test CA');
const strangers = new OpensslPki('Other CA');
const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
const stranger = strangers.issue({ subject: '/CN=Stranger', usage: 'clientAuth' });
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
let relay: Relay;
let application: NodeServer;

/** The folder of a server, and the text of docs/servers.md with the ports of the test in it. */
interface Place {
  folder: ServerFolder;
  port: number;
  text: string;
}

interface DocumentedServer {
  heading: string;
  protocol: 'h2' | 'http/1.1';
  start(place: Place): RunningProgram;
}

const SERVERS: DocumentedServer[] = [
  { heading: 'nginx', protocol: 'h2', start: nginx },
  {
    heading: 'Apache',
    protocol: 'h2',
    start({ folder, port, text }) {
      const config = apacheMain(folder.path, `Listen 127.0.0.1:${port} https\n${text}`);
      return startProgram('apache2', ['-f', folder.write('apache.conf', config), '-DFOREGROUND']);
    },
  },
  {
    heading: 'HAProxy',
    protocol: 'h2',
    start: ({ folder, text }) =>
      startProgram('haproxy', ['-db', '-f', folder.write('haproxy.cfg', text)], { cwd: folder.path }),
  },
  { heading: 'Caddy', protocol: 'h2', start: caddy },
  {
    heading: 'Go',
    protocol: 'h2',
    start({ folder, text }) {
      folder.write('main.go', text);
      const env = { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off' };
      execFileSync('go', ['build', '-o', 'server', 'main.go'], { cwd: folder.path, env });
      return startProgram('./server', [], { cwd: folder.path });
    },
  },
  {
    heading: 'Java',
    protocol: 'http/1.1',
    start({ folder, text }) {
      folder.write('server.p12', writePkcs12(server, { password: 'changeit', name: 'server' }));
      return startProgram('java', [folder.write('Main.java', text)], { cwd: folder.path });
    },
  },
  {
    heading: 'Node',
    protocol: 'h2',
    start: ({ folder, text }) =>
      startProgram(process.execPath, [folder.write('server.mjs', text)], { cwd: folder.path }),
  },
  {
    heading: 'OpenSSL',
    protocol: 'http/1.1',
    start({ folder, text }) {
      const [program = '', ...args] = text.trim().split(' ');
      return startProgram(program, args, { cwd: folder.path });
    },
  },
];

/** In the `http` block that its packages have in nginx.conf. */
function nginx({ folder, text }: Place): RunningProgram {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${folder.path}/${name};`)
    .join('\n');
  const config = `daemon off; master_process off; pid ${folder.path}/pid; error_log stderr notice;
    events {}
    http { access_log off; ${temporary}\n${text} }`;
  const args = ['-e', 'stderr', '-p', folder.path, '-c', folder.write('nginx.conf', config)];
  return startProgram('nginx', args, { env: { PATH: `${process.env.PATH}:/usr/sbin` } });
}

/** Behind options that keep it from asking for certificates, and from other ports. */
function caddy({ folder, text }: Place): RunningProgram {
  const options = `{\n  admin off\n  auto_https disable_redirects\n  storage file_system ${folder.path}\n}\n`;
  const config = folder.write('Caddyfile', options + text);
  return startProgram('caddy', ['run', '--adapter', 'caddyfile', '--config', config], {
    cwd: folder.path,
    env: { XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path },
  });
}

/** The text of a server's section, at a port of this machine alone. */
function textOf(heading: string, port: number): string {
  return blockOf('docs/servers.md', block => block.heading === heading)
    .replace('api.example.com {', `localhost:${port} {\n  bind 127.0.0.1`)
    .replace('api.example.com', 'localhost')
    .replace(/\b443\b/, String(port))
    .replace('127.0.0.1:3000', `127.0.0.1:${application.port}`);
}

async function start({ heading, start }: DocumentedServer): Promise<RunningServers> {
  const folder = new ServerFolder(heading.toLowerCase());
  folder.write('server.pem', server.cert);
  folder.write('server.key', server.key);
  folder.write('server-and-key.pem', server.cert + server.key);
  folder.write('ca.pem', pki.ca.cert);
  const port = await freePort();
  return served(start({ folder, port, text: textOf(heading, port) }), [port], folder);
}

beforeAll(async () => {
  relay = await startRelay();
  application = await startPlainServer();
});

afterAll(async () => {
  await relay?.close();
  await application?.stop();
  pki.close();
  strangers.close();
});

describe.each(SERVERS)('$heading, from the text of docs/servers.md', documented => {
  let servers: RunningServers;

  beforeAll(async () => {
    servers = await start(documented);
  }, START_TIMEOUT_MS);

  afterAll(() => servers?.stop());

  const url = () => `https://localhost:${servers.ports[0]}/`;

  test('knows the client by its certificate', async () => {
    await withClient({ relay, ca: pki.ca.cert, identities: [pair] }, async client => {
      // A header of the client's own by that name must not get through a proxy.
      const response = await client.fetch(url(), { headers: { 'X-Client-Subject': 'CN=Somebody else' } });
      expect(response.status).toBe(200);
      const text = await response.text();
      expect(text).toContain('Ada');
      expect(text).not.toContain('Somebody else');
      expect(client.connectionInfo(response)).toMatchObject({
        protocol: documented.protocol,
        clientCertificateSent: true,
      });
    });
  });

  test('lets in nobody without a certificate of the authority', async () => {
    await withClient({ relay, ca: pki.ca.cert }, async client => {
      expect(await codeOf(client.fetch(url()))).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    });
    const onChallenge = await insistOn(stranger);
    await withClient({ relay, ca: pki.ca.cert, onChallenge }, async client => {
      expect(await codeOf(client.fetch(url()))).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
    });
  });
});
