import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';
import { freePort, startProgram } from './process.js';

/** One TLS server of an nginx. */
export interface NginxServer {
  /** The server's certificate (with its chain) and key. */
  server: KeyPair;
  tls: 'TLSv1.2' | 'TLSv1.3';
  /** Whether ALPN offers h2; HTTP/1.1 it always does. Default false. */
  http2?: boolean;
  /** PEM of the CA of client certificates. */
  clientCa: string;
  verifyClient?: 'on' | 'optional' | 'off';
  /** Whether it answers with 403 to clients without an accepted certificate, which `optional` lets in. Default false. */
  forbids?: boolean;
  /** After so many it ends a connection; default: nginx's own. */
  requestsPerConnection?: number;
  /** How long it keeps a connection without a request; default: nginx's own. */
  idleSeconds?: number;
  /** How long it waits for a handshake; default: nginx's own, a minute. */
  handshakeTimeoutSeconds?: number;
  /** A command and its value for OpenSSL (`ssl_conf_command`). */
  opensslCommand?: string;
  /** An OCSP response to staple, DER. */
  staple?: Uint8Array;
}

export interface NginxOptions {
  /** Files to serve under `/files/`, by name. */
  files?: Record<string, Uint8Array>;
  /** Port of an HTTP server that gets what is asked under `/backend/`, and the WebSockets under `/sockets/`. */
  backendPort?: number;
  /** Whether it has a master process, which {@link Nginx.reload} needs. Default false. */
  master?: boolean;
}

export interface Nginx {
  /** The servers' ports, in their order. */
  ports: number[];
  log(): string;
  /** Reads its configuration again: new workers take over, the old ones end when they have answered. */
  reload(): void;
  stop(): Promise<void>;
}

const WHO = [
  '"subject":"$ssl_client_s_dn"',
  '"verify":"$ssl_client_verify"',
  '"tls":"$ssl_protocol"',
  '"cipher":"$ssl_cipher"',
  '"http":"$server_protocol"',
  '"serverName":"$ssl_server_name"',
].join(',');

/** Starts one nginx that listens on a port for each of the servers. `/` answers, as JSON, who the client is. */
export async function startNginx(servers: NginxServer[], options: NginxOptions = {}): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-nginx-'));
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  mkdirSync(join(folder, 'files'));
  for (const [name, content] of Object.entries(options.files ?? {})) write(`files/${name}`, content);

  const ports: number[] = [];
  const blocks: string[] = [];
  for (const [index, server] of servers.entries()) {
    const port = await freePort();
    ports.push(port);
    blocks.push(`server {
      listen 127.0.0.1:${port} ssl${server.http2 ? ' http2' : ''};
      ssl_protocols ${server.tls};
      ssl_certificate ${write(`${index}.crt`, server.server.cert)};
      ssl_certificate_key ${write(`${index}.key`, server.server.key)};
      ssl_client_certificate ${write(`${index}.ca`, server.clientCa)};
      ssl_verify_client ${server.verifyClient ?? 'on'};
      ${server.requestsPerConnection ? `keepalive_requests ${server.requestsPerConnection};` : ''}
      ${server.idleSeconds ? `keepalive_timeout ${server.idleSeconds}s;` : ''}
      ${server.handshakeTimeoutSeconds ? `client_header_timeout ${server.handshakeTimeoutSeconds}s;` : ''}
      ${server.opensslCommand ? `ssl_conf_command ${server.opensslCommand};` : ''}
      ${server.staple ? `ssl_stapling on; ssl_stapling_file ${write(`${index}.ocsp`, server.staple)};` : ''}
      ${server.forbids ? 'if ($ssl_client_verify != SUCCESS) { return 403; }' : ''}
      location = / { default_type application/json; return 200 '{${WHO}}'; }
      location /files/ { root ${folder}; }
      ${options.backendPort ? `location /backend/ { proxy_pass http://127.0.0.1:${options.backendPort}/; }` : ''}
      ${options.backendPort ? socketsLocation(options.backendPort) : ''}
    }`);
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const asItself = process.getuid?.() === 0 ? 'user root; worker_processes 1;' : 'worker_processes 1;';
  // One process, so that stopping it stops all of it, and nothing has to be readable by another user.
  const config = `daemon off; ${options.master ? asItself : 'master_process off;'} pid ${folder}/pid; error_log stderr notice;
    events { worker_connections 1024; }
    http {
      access_log off; server_tokens off; ${temporary}
      client_max_body_size 0; proxy_request_buffering off; proxy_buffering off; proxy_http_version 1.1;
      proxy_buffer_size 512k; proxy_buffers 8 512k; proxy_busy_buffers_size 512k;
      ${blocks.join('\n')}
    }`;
  const program = startProgram('nginx', ['-e', 'stderr', '-p', folder, '-c', write('nginx.conf', config)], {
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await program.listensOn(ports);
  } catch (error) {
    await stop();
    throw new Error(`nginx did not start:\n${program.output()}`, { cause: error });
  }
  return { ports, log: program.output, reload: () => process.kill(program.pid, 'SIGHUP'), stop };
}

/** As nginx's documentation has it for WebSockets. */
function socketsLocation(port: number): string {
  return `location /sockets/ {
    proxy_pass http://127.0.0.1:${port}/;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header X-Client $ssl_client_s_dn;
  }`;
}
