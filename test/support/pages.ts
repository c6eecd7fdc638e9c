import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

export interface PageServer {
  /** `http://127.0.0.1:port`: the origin of its pages. */
  origin: string;
  stop(): Promise<void>;
}

export interface PageContent {
  /** Texts by path. */
  pages?: Record<string, string>;
  /** Folders to serve files from, by the path's beginning, which ends with a slash. */
  folders?: Record<string, string>;
}

/** Serves pages to a browser. */
export async function startPages(content: PageContent): Promise<PageServer> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    // Browsers ask for it by themselves.
    if (path === '/favicon.ico') return response.writeHead(204).end();
    try {
      const body = await find(content, path);
      const type = TYPES[extname(path) || '.html'] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function find({ pages = {}, folders = {} }: PageContent, path: string): Promise<string | Uint8Array> {
  const page = pages[path];
  if (page !== undefined) return page;
  for (const [prefix, folder] of Object.entries(folders)) {
    if (path.startsWith(prefix)) return readFile(join(folder, path.slice(prefix.length)));
  }
  throw new Error('not found');
}
