import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { WebSocketServer } from 'ws';
import type { OpensslPki } from './openssl-pki.js';

export interface EchoServer {
  /** `localhost:port`. */
  host: string;
  stop(): void;
}

/**
 * A server for clients of the PKI alone. A WebSocket is told first who the client is and where its page is from, then gets
 * its messages back; a request gets its body back.
 */
export async function startEchoServer(pki: OpensslPki): Promise<EchoServer> {
  const pair = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
  const tls = { ...pair, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true };
  const server: Server = createServer(tls, (request, response) => {
    request.pipe(response);
  });
  const sockets = new WebSocketServer({ server, maxPayload: 1 << 26 });
  sockets.on('connection', (socket, request) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    socket.send(`${subject.CN} from ${request.headers.origin}`);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { host: `localhost:${(server.address() as AddressInfo).port}`, stop: () => void server.close() };
}
