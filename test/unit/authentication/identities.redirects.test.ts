import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Challenge, Identity } from '../../../src/index.js';
import { answering, IdentityStage, leave, show, VARIANTS } from '../client/support/identity-stage.js';
import type { WhoamiServer } from '../client/support/whoami-server.js';

const stage = new IdentityStage();
let ada: Identity;

beforeAll(async () => {
  ada = await stage.identity('Ada');
});
afterEach(() => stage.reset());
afterAll(() => stage.close());

/** An address that leads to the next one, and so on. */
function via(first: WhoamiServer, ...next: WhoamiServer[]): string {
  const [following, ...others] = next;
  return following ? `${first.url}to?${encodeURIComponent(via(following, ...others))}` : first.url;
}

describe.each(VARIANTS)('over $protocol and $tls, a listed identity', variant => {
  const two = async () => [await stage.listen(variant), await stage.listen(variant)] as const;

  it('is not shown where a redirect leads', async () => {
    const [first, other] = await two();
    const { whoami } = await stage.visitor({ identities: [ada] });
    expect(await whoami(first.url)).toBe('Ada');
    expect(await whoami(via(first, other))).toBe('nobody');
    expect(await whoami(via(first, first))).toBe('Ada');
  });

  it('is shown again when a chain of redirects comes back', async () => {
    const [first, other] = await two();
    const third = await stage.listen(variant);
    const { whoami } = await stage.visitor({ identities: [ada] });
    expect(await whoami(via(first, other, third))).toBe('nobody');
    expect(await whoami(via(first, other, third, first))).toBe('Ada');
  });

  it('is shown where the page itself asks, on a connection of its own, and then to redirects as well', async () => {
    const [first, other] = await two();
    const { client, whoami } = await stage.visitor({ identities: [ada] });
    const slow = await client.fetch(`${first.url}to?${encodeURIComponent(`${other.url}slow`)}`);
    expect(await whoami(via(first, other))).toBe('nobody');
    expect(await whoami(other.url)).toBe('Ada');
    expect(other.connections()).toBe(variant.protocol === 'h2' ? 2 : 3);
    expect(await whoami(via(first, other))).toBe('Ada');
    other.release();
    expect(await slow.text()).toBe('nobody');
  });

  it('is shown by no session of a redirect, nor kept from the page by one', async () => {
    const [first, other] = await two();
    const { client, whoami } = await stage.visitor({ identities: [ada] });
    expect(await whoami(via(first, other))).toBe('nobody');
    other.cut();
    const redirected = await client.fetch(via(first, other));
    expect(await redirected.text()).toBe('nobody');
    expect(client.connectionInfo(redirected)?.resumed).toBe(true);
    other.cut();
    expect(await whoami(other.url)).toBe('Ada');
  });

  it('is shown where a redirect leads while the page asks there itself', async () => {
    const [first, other] = await two();
    const { whoami } = await stage.visitor({ identities: [ada] });
    const [own] = await Promise.all([whoami(other.url), whoami(via(first, other))]);
    expect(own).toBe('Ada');
    expect(await whoami(via(first, other))).toBe('Ada');
  });

  it.each(['connect', 'WebSocket'] as const)(
    'is shown to redirects where the page has asked by %s',
    async way => {
      const [first, other] = await two();
      const { client, whoami } = await stage.visitor({ identities: [ada] });
      expect(await whoami(via(first, other))).toBe('nobody');
      if (way === 'connect') await client.connect({ hostname: 'localhost', port: other.port }).opened;
      else await new Promise(resolve => new client.WebSocket(other.url).addEventListener('close', resolve));
      expect(await whoami(via(first, other))).toBe('Ada');
    },
  );

  it('is shown where its hosts allow it, and nowhere else', async () => {
    const [first, other] = await two();
    const controls = { hosts: [`localhost:${other.port}`] };
    const { whoami } = await stage.visitor({ identities: [{ ...ada, controls }] });
    expect(await whoami(via(first, other))).toBe('Ada');
    expect(await whoami(via(other, first))).toBe('nobody');
    expect(await whoami(first.url)).toBe('nobody');
  });

  it('of a store is shown by the hosts that the store has for it now', async () => {
    const [first, other] = await two();
    const store = await stage.openStore();
    const stored = await store.add(ada);
    const { whoami } = await stage.visitor({ identities: [stored] });
    expect(await whoami(first.url)).toBe('Ada');
    expect(await whoami(via(first, other))).toBe('nobody');
    await store.update(stored.id, { hosts: ['localhost'] });
    expect(await whoami(via(first, other))).toBe('Ada');
    await store.update(stored.id, { hosts: [`localhost:${other.port}`] });
    expect([await whoami(first.url), await whoami(other.url)]).toEqual(['nobody', 'Ada']);
    await store.delete({ id: stored.id });
    expect(await whoami(other.url)).toBe('ERR_IDENTITY_NOT_FOUND');
  });

  it('is missed by a server that a redirect leads to, and the error says why', async () => {
    const first = await stage.listen(variant);
    const other = await stage.listen(variant, { rejectUnauthorized: true });
    const { client, whoami } = await stage.visitor({ identities: [ada] });
    await expect(client.fetch(via(first, other))).rejects.toMatchObject({
      code: 'ERR_TLS_CLIENT_CERT_REQUIRED',
      message: expect.stringMatching(/a redirect led there/),
    });
    expect(await whoami(other.url)).toBe('Ada');
  });

  it('may be named by a handler where a redirect leads', async () => {
    const [first, other] = await two();
    const { onChallenge } = answering(leave, show(ada));
    const seen: Challenge[] = [];
    const { whoami } = await stage.visitor({
      identities: [ada],
      onChallenge: challenge => {
        if (challenge.method === 'client-certificate') seen.push(challenge);
        return onChallenge(challenge);
      },
    });
    expect(await whoami(via(first, other))).toBe('Ada');
    expect(seen).toMatchObject([
      { port: first.port, candidates: [{ id: ada.certificate.fingerprint }] },
      {
        port: other.port,
        candidates: [],
        others: [
          {
            code: 'ERR_IDENTITY_NOT_ALLOWED',
            message: expect.stringMatching(/a redirect led/),
            selectable: true,
          },
        ],
      },
    ]);
  });
});

describe('an identity of a store', () => {
  it('is shown by its hosts, whoever leads there', async () => {
    const variant = { protocol: 'h2', tls: 'TLSv1.3' } as const;
    const [first, other] = [await stage.listen(variant), await stage.listen(variant)];
    const store = await stage.openStore();
    await store.add(ada, { hosts: [`localhost:${other.port}`] });
    const { whoami } = await stage.visitor({ identities: store });
    expect([await whoami(first.url), await whoami(via(first, other))]).toEqual(['nobody', 'Ada']);
  });
});
