import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { createClient, type Identity, IdentityStore, type MtlsClient } from '../../src/index.js';
import { identityOf, startRelay } from '../support/client.js';
import { engineModule } from '../support/engine.js';
import { type Nginx, type NginxServer, startNginx } from '../support/nginx.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const hosts = ['localhost'];
const versions = ['TLSv1.3', 'TLSv1.2'] as const;
const protocols = ['h2', 'http/1.1'] as const;
/** How nginx is set, what it answers to who shows no certificate, and to whom it accepts. */
const policies = {
  on: { settings: { verifyClient: 'on' }, refusal: 'ERR_TLS_CLIENT_CERT_REQUIRED' },
  optional: { settings: { verifyClient: 'optional' }, refusal: '' },
  'optional, and 403': { settings: { verifyClient: 'optional', forbids: true }, refusal: '403' },
} as const;

const cases = Object.entries(policies).flatMap(([policy, { settings, refusal }]) =>
  versions.flatMap(tls => protocols.map(protocol => ({ policy, settings, refusal, tls, protocol }))),
);

let relay: Relay;
let nginx: Nginx;
let ada: Identity;
let bob: Identity;
let stranger: Identity;
let store: IdentityStore;
let client: MtlsClient;

beforeAll(async () => {
  relay = await startRelay();
  const servers = cases.map(
    ({ settings, tls, protocol }): NginxServer => ({
      server,
      tls,
      http2: protocol === 'h2',
      clientCa: pki.ca.cert,
      ...settings,
    }),
  );
  nginx = await startNginx(servers);
  ada = await identityOf(pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' }));
  bob = await identityOf(pki.issue({ subject: '/CN=Bob', usage: 'clientAuth' }));
  stranger = await identityOf(otherPki.issue({ subject: '/CN=Stranger', usage: 'clientAuth' }));
});
beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(async () => {
  await client?.close();
  store.close();
});
afterAll(async () => {
  await nginx?.stop();
  await relay?.close();
  pki.close();
  otherPki.close();
});

async function visit(onChallenge?: Parameters<typeof createClient>[0]['onChallenge']): Promise<void> {
  client = await createClient({
    tunnel: relay.url,
    identities: store,
    trust: { anchors: [pki.ca.cert] },
    engine: engineModule(),
    ...(onChallenge && { onChallenge }),
  });
}

/** The subject that nginx knows the client by, its status, or the code of the error. */
async function ask(index: number): Promise<string> {
  try {
    const response = await client.fetch(`https://localhost:${nginx.ports[index]}/`);
    const text = await response.text();
    return response.ok ? JSON.parse(text).subject : String(response.status);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const numbered = cases.map((it, index) => ({ ...it, index }));

describe.each(numbered)('nginx (ssl_verify_client $policy) over $protocol and $tls', ({ index, refusal }) => {
  const all = (count: number) => Promise.all(Array.from({ length: count }, () => ask(index)));
  const Ada = 'CN=Ada';

  it('knows an identity right after it was added, on all connections', async () => {
    await visit();
    expect(await all(4)).toEqual(Array(4).fill(refusal));
    await store.add(ada, { hosts });
    expect(await all(4)).toEqual(Array(4).fill(Ada));
  });

  it('knows an identity right after it was allowed for the host, and no longer when it is not', async () => {
    await visit();
    const { id } = await store.add(ada, { hosts: ['elsewhere.example'] });
    expect(await ask(index)).toBe(refusal);
    await store.update(id, { hosts });
    expect(await ask(index)).toBe(Ada);
    await store.update(id, { hosts: [] });
    expect(await ask(index)).toBe(refusal);
  });

  it('knows the identity that takes the place of another', async () => {
    await visit();
    const { id } = await store.add(bob, { hosts });
    expect(await ask(index)).toBe('CN=Bob');
    await store.add(ada, { hosts });
    await store.lock(id);
    expect(await ask(index)).toBe(Ada);
    await store.delete({ id });
    expect(await ask(index)).toBe(Ada);
  });

  it('knows an identity that another tab adds', async () => {
    await visit();
    const other = await IdentityStore.open();
    expect(await ask(index)).toBe(refusal);
    await other.add(ada, { hosts });
    await expect.poll(() => ask(index)).toBe(Ada);
    other.close();
  });
});

describe.each(numbered.filter(it => it.policy === 'on'))(
  'nginx that refuses an answer, over $protocol and $tls',
  ({ index }) => {
    it('is known to do so by a resumed session as well', async () => {
      await visit();
      // A socket leaves a session.
      const socket = client.connect(`localhost:${nginx.ports[index]}`);
      await socket.writable.getWriter().write(new TextEncoder().encode('NOT HTTP\r\n\r\n'));
      await new Response(socket.readable).text();
      expect(await ask(index)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
      await store.add(ada, { hosts });
      expect(await ask(index)).toBe('CN=Ada');
    });

    it('is shown the next one', async () => {
      const answers = [undefined, stranger, ada];
      await visit(({ method }) => {
        const identity = method === 'client-certificate' ? answers.shift() : undefined;
        if (!identity) return { disposition: 'default' };
        return { disposition: 'use-credential', credential: { identity, persistence: 'none' } };
      });
      expect([await ask(index), await ask(index), await ask(index)]).toEqual([
        'ERR_TLS_CLIENT_CERT_REQUIRED',
        'ERR_TLS_CLIENT_CERT_REJECTED',
        'CN=Ada',
      ]);
    });
  },
);
