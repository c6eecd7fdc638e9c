import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient } from '../../src/index.js';
import { startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { startOpensslServer } from '../support/openssl-server.js';

const pki = new OpensslPki('Test CA');
const folder = mkdtempSync(join(tmpdir(), 'mtls-keylog-'));
let relay: Relay;

beforeAll(async () => {
  relay = await startRelay();
});
afterAll(async () => {
  await relay?.close();
  pki.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Label, client random and secret of each line. OpenSSL also tells what no client needs. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .sort();
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s the key log is that of openssl s_server', async tls => {
  const file = join(folder, tls);
  const server = await startOpensslServer({
    server: pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost' }),
    tls,
    clientCa: pki.ca.cert,
    askClient: false,
    args: ['-keylogfile', file],
  });
  const logged: string[] = [];
  const client = await createClient({
    tunnel: relay.url,
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
    dangerouslyLogKeys: line => void logged.push(line),
    onChallenge: async () => {
      // A handshake that is interrupted for a question and goes on tells its secrets once.
      await new Promise(resolve => setTimeout(resolve, 20));
      return { disposition: 'default' };
    },
  });
  try {
    const response = await client.fetch(`https://localhost:${server.port}/`);
    expect(response.status).toBe(200);
    await response.text();
    const expected = linesOf(readFileSync(file, 'utf8'));
    expect(expected.length).toBeGreaterThan(0);
    expect([...logged].sort()).toEqual(expected);
  } finally {
    await client.close();
    await server.stop();
  }
});
