import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { insistOn, startRelay, type TestClientOptions, withClient } from '../support/client.js';
import { documented } from '../support/documented.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { freePort } from '../support/process.js';

interface Example {
  adviceFor(error: unknown): string;
}

const pki = new OpensslPki('Test CA');
const strangers = new OpensslPki('Other CA');
let relay: Relay;
let server: NodeServer;
let adviceFor: Example['adviceFor'];

beforeAll(async () => {
  ({ adviceFor } = await documented<Example>('docs/errors.md', 'adviceFor'));
  relay = await startRelay();
  server = await startNodeServer({
    server: pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' }),
    clientCa: pki.ca.cert,
  });
});

afterAll(async () => {
  await relay?.close();
  await server?.stop();
  pki.close();
  strangers.close();
});

/** What a request fails with. */
async function failure(options: Partial<TestClientOptions> & { port?: number; signal?: AbortSignal }) {
  const { port = server.port, signal, ...others } = options;
  return withClient({ relay, ca: pki.ca.cert, ...others }, async client => {
    const asked = client.fetch(`https://localhost:${port}/`, { ...(signal && { signal }) });
    return asked.then(
      () => undefined,
      (error: unknown) => error,
    );
  });
}

test('the example of the documentation knows what to do about a failure', async () => {
  const stranger = strangers.issue({ subject: '/CN=Stranger', usage: 'clientAuth' });
  expect(adviceFor(await failure({}))).toBe('import an identity');
  expect(adviceFor(await failure({ onChallenge: await insistOn(stranger) }))).toBe('choose another identity');
  expect(adviceFor(await failure({ port: await freePort() }))).toBe('try again');
  expect(adviceFor(await failure({ ca: strangers.ca.cert }))).toBe('show the message');
});

test('the example leaves an abort to its caller', async () => {
  const reason = new DOMException('enough', 'AbortError');
  const error = await failure({ signal: AbortSignal.abort(reason) });
  expect(error).toBe(reason);
  expect(() => adviceFor(error)).toThrow(reason);
});
