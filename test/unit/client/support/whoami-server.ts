import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';

export interface WhoamiServer {
  url: string;
  port: number;
  /** Connections that were made so far. */
  connections(): number;
  /** Lets the requests for `/slow` end. */
  release(): void;
  /** Ends every connection at once. */
  cut(): void;
  close(): void;
}

/**
 * A server that answers with the common name of the client's certificate, or `nobody`; on `/slow` it ends its answer later; `/to?URL`
 * redirects.
 */
export async function startWhoami(options: TlsOptions, protocol: 'h2' | 'http/1.1'): Promise<WhoamiServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const settings = { requestCert: true, rejectUnauthorized: false, ...options };
  const answer = (request: Request, response: Response) => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    if (url.pathname === '/to') {
      response.writeHead(307, { location: decodeURIComponent(url.search.slice(1)) }).end();
      return;
    }
    (response as ServerResponse).write(nameOf(request));
    if (url.pathname === '/slow') waiting.push(() => response.end());
    else response.end();
  };
  const server =
    protocol === 'h2' ? createSecureServer(settings, answer) : createServer(settings, answer as never);
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket.on('error', () => {}));
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.on('sessionError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `https://localhost:${port}/`,
    port,
    connections: () => connections,
    release: () => {
      for (const end of waiting.splice(0)) end();
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

function nameOf(request: Request): string {
  const socket = ('stream' in request ? request.stream.session?.socket : request.socket) as TLSSocket;
  return String(socket.getPeerCertificate()?.subject?.CN ?? 'nobody');
}
