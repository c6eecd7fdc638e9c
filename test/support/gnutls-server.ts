import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';
import { freePort, startProgram } from './process.js';

export interface GnutlsServerOptions {
  server: KeyPair;
  clientCa: string;
  /** As GnuTLS has it, e.g. `NORMAL:-VERS-ALL:+VERS-TLS1.2`. */
  priority: string;
  /** Whether it insists on a client certificate. Default true. */
  requireClient?: boolean;
}

/** `gnutls-serv`, which answers every request with a page about the connection. */
export async function startGnutlsServer({
  server,
  clientCa,
  priority,
  requireClient = true,
}: GnutlsServerOptions): Promise<{ port: number; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-gnutls-serv-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const port = await freePort();
  const program = startProgram('gnutls-serv', [
    ...['--port', String(port), '--http', '--priority', priority],
    ...['--x509certfile', file('server.pem', server.cert), '--x509keyfile', file('server.key', server.key)],
    ...['--x509cafile', file('ca.pem', clientCa)],
    requireClient ? '--require-client-cert' : '--verify-client-cert',
  ]);
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await program.listensOn([port]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}
