import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';
import { startProgram } from './process.js';

/** A server in Python that is told its certificate, its key and the CA of its clients, and prints its port. */
export async function startPython(
  script: string,
  { server, clientCa }: { server: KeyPair; clientCa: string },
) {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-python-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const args = [file('server.pem', server.cert), file('server.key', server.key), file('ca.pem', clientCa)];
  const program = startProgram('/usr/bin/python3', [script, ...args]);
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [, port] = await program.waitFor(/^PORT (\d+)/m);
    return { port: Number(port), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
