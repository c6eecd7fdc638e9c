import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface HttpsServer {
  /** Ends with a slash. */
  url: string;
  close(): void;
}

/** Node's own server over HTTP/1.1, on localhost. */
export async function startHttps(options: ServerOptions, answer: RequestListener): Promise<HttpsServer> {
  const server = createServer(options, answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}/`, close: () => void server.close() };
}
