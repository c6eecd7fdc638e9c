import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import { launchChromium } from '../support/chromium.js';
import { type Nginx, type NginxServer, startNginx } from '../support/nginx.js';
import { type NodeServer, startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';
import { writePkcs12 } from '../support/pkcs12.js';
import { builtRelay, startUserPages, type UserPage, type UserPages } from '../support/user-page.js';

const PASSWORD = 'pässword 1';
const SERVERS = [
  { tls: 'TLSv1.3', http2: true },
  { tls: 'TLSv1.3', http2: false },
  { tls: 'TLSv1.2', http2: true },
  { tls: 'TLSv1.2', http2: false },
] as const satisfies Partial<NginxServer>[];

const pki = new OpensslPki('Test CA');
const otherPki = new OpensslPki('Other CA');
const named = { subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' as const };
const server = pki.issue(named);
const REFUSED = [
  ['for another name', pki.issue({ ...named, altNames: 'DNS:elsewhere.example' }), 'ERR_TLS_CERT_NAME'],
  ['from another CA', otherPki.issue(named), 'ERR_TLS_CERT_UNTRUSTED'],
  ['that has expired', pki.issue({ ...named, days: [-30, -2] }), 'ERR_TLS_CERT_EXPIRED'],
] as const;
const FILES = (['rsa', 'p256'] as const).flatMap(kind => {
  const subject = `Client With ${kind === 'rsa' ? 'RSA' : 'Elliptic'} Key`;
  const pair = pki.issue({ subject: `/CN=${subject}`, kind, usage: 'clientAuth' });
  return [false, true].map(legacy => ({
    title: `${legacy ? '-legacy' : 'modern'} .p12 with ${kind}`,
    subject,
    base64: Buffer.from(
      writePkcs12(pair, { password: PASSWORD, legacy, name: subject, chain: pki.ca.cert }),
    ).toString('base64'),
  }));
});
const someFile = FILES[0] as (typeof FILES)[number];

/** What passed through the relay, each way. */
let record: Buffer[] = [];
let browser: Browser;
let pages: UserPages;
let relay: Relay;
let nginx: Nginx;
let node: NodeServer;
let user: UserPage;

beforeAll(async () => {
  browser = await launchChromium();
  pages = await startUserPages();
  nginx = await startNginx([
    ...SERVERS.map(it => ({ ...it, server, clientCa: pki.ca.cert })),
    ...REFUSED.map(([, refused]) => ({
      server: refused,
      tls: 'TLSv1.3' as const,
      http2: true,
      clientCa: pki.ca.cert,
    })),
  ]);
  node = await startNodeServer({ server, clientCa: pki.ca.cert, http2: true });
  const { createRelay } = await builtRelay();
  const targets = [...nginx.ports, node.port].map(port => `localhost:${port}`);
  relay = await createRelay({
    allow: targets,
    origins: [pages.origin],
    observeBytes: (_direction, bytes) => record.push(Buffer.from(bytes)),
  });
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await nginx?.stop();
  await node?.stop();
  await pages?.stop();
  pki.close();
  otherPki.close();
});

beforeEach(async () => {
  record = [];
  user = await pages.open(browser);
});

afterEach(async () => {
  const { complaints } = user;
  await user.close();
  expect(complaints).toEqual([]);
});

/** Opens the file in the page and stores its identity, allowed for localhost. */
async function importFile(base64: string, password = PASSWORD): Promise<string> {
  return user.page.evaluate(
    async ([content, secret]) => {
      const bytes = Uint8Array.from(atob(content), character => character.charCodeAt(0));
      try {
        const { identities } = await library.openPkcs12(bytes, { password: secret });
        const store = await library.IdentityStore.open();
        for (const identity of identities) await store.add(identity, { hosts: ['localhost'] });
        store.close();
        return identities.map(({ certificate }) => certificate.subject).join();
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      }
    },
    [base64, password] as const,
  );
}

/** GETs with a new client whose identities are those of the store: the body, or the code of the error. */
async function get(url: string, options: { identities?: boolean; method?: string; body?: string } = {}) {
  const { identities = true, ...init } = options;
  return user.page.evaluate(
    async ({ address, tunnel, anchor, withIdentities, request }) => {
      const store = await library.IdentityStore.open();
      const client = await library.createClient({
        tunnel,
        identities: withIdentities ? store : [],
        trust: { anchors: [anchor] },
      });
      try {
        const response = await client.fetch(address, request);
        return await response.text();
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      } finally {
        await client.close();
        store.close();
      }
    },
    {
      address: url,
      tunnel: relay.url,
      anchor: pki.ca.cert,
      withIdentities: identities,
      request: init as RequestInit,
    },
  );
}

const nginxUrl = (index: number, path = '/') => `https://localhost:${nginx.ports[index]}${path}`;
const nodeUrl = (path: string) => `https://localhost:${node.port}${path}`;

describe.each(FILES.map(it => [it.title, it] as const))('%s', (_title, { base64, subject }) => {
  test('is stored, and at the next visit presented to every nginx', async () => {
    expect(await importFile(base64)).toBe(`CN=${subject}`);
    await user.visitAgain();
    for (const [index, { tls, http2 }] of SERVERS.entries()) {
      expect(JSON.parse(await get(nginxUrl(index)))).toMatchObject({
        subject: `CN=${subject}`,
        verify: 'SUCCESS',
        tls,
        http: http2 ? 'HTTP/2.0' : 'HTTP/1.1',
      });
    }
  });

  test('gives keys that no script can export, at once and after a reload', async () => {
    await importFile(base64);
    for (const visit of ['this', 'next'] as const) {
      if (visit === 'next') await user.visitAgain();
      const outcomes = await user.page.evaluate(async () => {
        const store = await library.IdentityStore.open();
        const keys = (await store.find()).flatMap(identity => identity.keys);
        store.close();
        const attempts = keys.flatMap(key =>
          (['pkcs8', 'jwk', 'raw'] as const).map(format =>
            crypto.subtle.exportKey(format as 'pkcs8', key).then(
              () => `${format} exported`,
              error => (error as Error).name,
            ),
          ),
        );
        return { keys: keys.length, outcomes: [...new Set(await Promise.all(attempts))] };
      });
      expect(outcomes.keys).toBeGreaterThan(0);
      expect(
        outcomes.outcomes.filter(it => it !== 'InvalidAccessError' && it !== 'NotSupportedError'),
      ).toEqual([]);
    }
  });
});

describe('an error has its code', () => {
  test('a wrong password', async () => {
    for (const { base64 } of FILES) expect(await importFile(base64, 'wrong')).toBe('ERR_P12_PASSWORD');
  });

  test('a truncated file', async () => {
    for (const { base64 } of FILES) {
      const bytes = Buffer.from(base64, 'base64');
      for (const length of [0, 10, bytes.length >> 1, bytes.length - 1]) {
        const part = bytes.subarray(0, length).toString('base64');
        expect(await importFile(part)).toBe('ERR_P12_MALFORMED');
      }
    }
  });

  test('a target that the relay does not allow', async () => {
    expect(await get('https://localhost:1/')).toBe('ERR_TUNNEL_DENIED');
  });

  test.each(REFUSED)('a server certificate %s', async (name, _pair, code) => {
    await importFile(someFile.base64);
    const index = SERVERS.length + REFUSED.findIndex(it => it[0] === name);
    expect(await get(nginxUrl(index))).toBe(code);
  });

  test('a client certificate that is missing', async () => {
    expect(await get(nodeUrl('/'), { identities: false })).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
  });

  test('a connection that is cut in the middle of a body', async () => {
    await importFile(someFile.base64);
    expect(await get(nodeUrl('/cut?after=5000'))).toBe('ERR_TLS_TRUNCATED');
  });
});

describe("the relay's record of the bytes", () => {
  const PATH = '/?a-secret-path';
  const BODY = 'a secret body';
  const readable = (text: string) => Buffer.concat(record).includes(text);

  test('has neither request nor subject in it, with TLS 1.3', async () => {
    await importFile(someFile.base64);
    const body = await get(nginxUrl(0, PATH));
    expect(body).toContain(someFile.subject);
    const echo = await get(nodeUrl('/echo?a-secret-path'), { method: 'POST', body: BODY });
    expect(echo).toBe(BODY);
    expect(Buffer.concat(record).length).toBeGreaterThan(1000);
    for (const text of ['a-secret-path', BODY, someFile.subject, '"verify":"SUCCESS"']) {
      expect(readable(text)).toBe(false);
    }
  });

  test('has the subject in it with TLS 1.2, where the certificate travels in the clear', async () => {
    await importFile(someFile.base64);
    await get(nginxUrl(2, PATH));
    expect(readable(someFile.subject)).toBe(true);
    expect(readable('a-secret-path')).toBe(false);
  });
});

test('50 fetches at once on one client, with each signature late by 200 ms', async () => {
  await importFile(someFile.base64);
  const { answers, signatures } = await user.page.evaluate(
    async ({ addresses, tunnel, anchor }) => {
      const sign = crypto.subtle.sign.bind(crypto.subtle);
      let count = 0;
      crypto.subtle.sign = async (...args: Parameters<typeof sign>) => {
        count++;
        const signature = await sign(...args);
        await new Promise(resolve => setTimeout(resolve, 200));
        return signature;
      };
      const store = await library.IdentityStore.open();
      const client = await library.createClient({ tunnel, identities: store, trust: { anchors: [anchor] } });
      const texts = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const response = await client.fetch(addresses[index % addresses.length] as string);
          return (await response.json()).subject as string;
        }),
      );
      await client.close();
      store.close();
      return { answers: texts, signatures: count };
    },
    {
      addresses: SERVERS.map((_, index) => nginxUrl(index)),
      tunnel: relay.url,
      anchor: pki.ca.cert,
    },
  );
  expect(answers).toEqual(new Array(50).fill(`CN=${someFile.subject}`));
  expect(signatures).toBeGreaterThan(0);
});
