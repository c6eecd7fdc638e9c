import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Identity, IdentityStore, MtlsClient, Tunnel } from '../../../src/index.js';
import { tcpTunnel } from '../../support/tcp-tunnel.js';
import { answering, IdentityStage, leave, show, VARIANTS } from '../client/support/identity-stage.js';

const hosts = ['localhost'];
const stage = new IdentityStage();
let ada: Identity;
let bob: Identity;
let store: IdentityStore;

beforeAll(async () => {
  ada = await stage.identity('Ada');
  bob = await stage.identity('Bob');
});
beforeEach(async () => {
  store = await stage.openStore();
});
afterEach(() => stage.reset());
afterAll(() => stage.close());

describe.each(VARIANTS)('over $protocol and $tls, an identity', variant => {
  it('that is added is shown from the next request on, and a running one ends as it began', async () => {
    const { url, release } = await stage.listen(variant);
    const { client, whoami } = await stage.visitor({ identities: store });
    const slow = await client.fetch(`${url}slow`);
    expect(await whoami(url)).toBe('nobody');
    await store.add(ada, { hosts });
    expect(await whoami(url)).toBe('Ada');
    release();
    expect(await slow.text()).toBe('nobody');
  });

  it('that is added is shown on every connection of a pool', async () => {
    const { url, release, connections } = await stage.listen(variant);
    const { client, whoami } = await stage.visitor({ identities: store });
    const all = <T>(act: () => Promise<T>) => Promise.all(Array.from({ length: 4 }, act));
    const slow = await all(() => client.fetch(`${url}slow`));
    release();
    await Promise.all(slow.map(it => it.text()));
    const before = connections();
    expect(before).toBe(variant.protocol === 'h2' ? 1 : 4);
    await store.add(ada, { hosts });
    expect(await all(() => whoami(url))).toEqual(Array(4).fill('Ada'));
    // How many more are opened depends on how fast the first one answers.
    expect(connections()).toBeGreaterThan(before);
    expect(connections()).toBeLessThanOrEqual(2 * before);
  });

  it('that is allowed for the host later on is shown, and no longer when it is not', async () => {
    const { url, port } = await stage.listen(variant);
    const { whoami } = await stage.visitor({ identities: store });
    const { id } = await store.add(ada, { hosts: ['elsewhere.example'] });
    expect(await whoami(url)).toBe('nobody');
    await store.update(id, { hosts: [`localhost:${port}`] });
    expect(await whoami(url)).toBe('Ada');
    await store.update(id, { hosts: [`localhost:${port + 1}`] });
    expect(await whoami(url)).toBe('nobody');
  });

  it('that another tab adds, allows or deletes is noticed', async () => {
    const { url } = await stage.listen(variant);
    const { whoami } = await stage.visitor({ identities: store });
    const other = await stage.openStore();
    expect(await whoami(url)).toBe('nobody');
    const { id } = await other.add(ada, { hosts: ['elsewhere.example'] });
    await other.update(id, { hosts });
    await expect.poll(() => whoami(url)).toBe('Ada');
    await other.delete({ id });
    await expect.poll(() => whoami(url)).toBe('nobody');
  });

  it('that becomes usable is shown', async () => {
    const { url } = await stage.listen(variant);
    const { whoami } = await stage.visitor({ identities: store });
    const { id } = await store.add(ada, { hosts, expiresAt: new Date(Date.now() - 1) });
    expect(await whoami(url)).toBe('ERR_IDENTITY_EXPIRED');
    await store.update(id, { expiresAt: new Date(Date.now() + 60_000) });
    expect(await whoami(url)).toBe('Ada');
    await store.lock(id);
    expect(await whoami(url)).toBe('ERR_IDENTITY_LOCKED');
    await store.unlock(id);
    expect(await whoami(url)).toBe('Ada');
  });

  it.each<[string, (client: MtlsClient) => Promise<unknown>]>([
    ['a change', () => store.add(ada, { hosts })],
    ['being forgotten', client => client.forget()],
  ])('ends with its client also on a connection that %s retired', async (_, retire) => {
    const { url } = await stage.listen(variant);
    const { client, whoami } = await stage.visitor({ identities: store });
    const slow = await client.fetch(`${url}slow`);
    await retire(client);
    await whoami(url);
    await client.close();
    await expect(slow.text()).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
  });

  it('that changes while a connection is being made is shown as it is then', async () => {
    const { url } = await stage.listen(variant);
    const { id } = await store.add(ada, { hosts });
    /** What happens next, when a connection is about to be made. */
    const changes: (() => Promise<unknown>)[] = [
      () => store.update(id, { hosts: ['elsewhere.example'] }),
      () => store.add(bob, { hosts }),
    ];
    const tunnel: Tunnel = {
      connect: async (target, options) => {
        await changes.shift()?.();
        return tcpTunnel.connect(target, options);
      },
    };
    const { whoami } = await stage.visitor({ identities: store, tunnel });
    expect([await whoami(url), changes.length]).toEqual(['Bob', 0]);
  });

  it('that comes while a connection is being made without it does not come too late', async () => {
    const { url } = await stage.listen(variant, { rejectUnauthorized: true });
    const changes = [() => store.add(ada, { hosts })];
    const tunnel: Tunnel = {
      connect: async (target, options) => {
        await changes.shift()?.();
        return tcpTunnel.connect(target, options);
      },
    };
    const { whoami } = await stage.visitor({ identities: store, tunnel });
    expect([await whoami(url), changes.length]).toEqual(['Ada', 0]);
  });

  it('that is listed later on is shown, and no longer when it is not', async () => {
    const { url } = await stage.listen(variant);
    const identities: Identity[] = [];
    const { whoami } = await stage.visitor({ identities });
    expect(await whoami(url)).toBe('nobody');
    identities.push(ada);
    expect(await whoami(url)).toBe('Ada');
    identities[0] = bob;
    expect(await whoami(url)).toBe('Bob');
    identities.pop();
    expect(await whoami(url)).toBe('nobody');
  });

  it('whose time ends leaves the choice to the other one', async () => {
    const { url } = await stage.listen(variant);
    const { whoami } = await stage.visitor({ identities: store });
    await store.add(ada, { hosts });
    const end = Date.now() + 3_600_000;
    await store.add(bob, { hosts, expiresAt: new Date(end) });
    expect(await whoami(url)).toBe('nobody');
    vi.useFakeTimers({ toFake: ['Date'], now: end });
    onTestFinished(() => void vi.useRealTimers());
    expect(await whoami(url)).toBe('Ada');
  });

  it('that is shown by a session is not shown by a resumed one, when another choice would be made', async () => {
    const server = await stage.listen(variant);
    const { client, whoami } = await stage.visitor({ identities: store });
    const { id: adaId } = await store.add(ada, { hosts });
    const { id: bobId } = await store.add(bob, { hosts });
    await store.lock(bobId);
    expect(await whoami(server.url)).toBe('Ada');
    server.cut();
    const resumed = await client.fetch(server.url);
    expect([await resumed.text(), client.connectionInfo(resumed)?.resumed]).toEqual(['Ada', true]);
    server.cut();
    // Now there are two.
    await store.unlock(bobId);
    expect(await whoami(server.url)).toBe('nobody');
    server.cut();
    await store.lock(adaId);
    expect(await whoami(server.url)).toBe('Bob');
  });

  it('that has nothing to do with a connection leaves it alone', async () => {
    const { url, connections } = await stage.listen(variant);
    const elsewhere = { hosts: ['elsewhere.example'] };
    const { whoami } = await stage.visitor({ identities: store });
    const { id } = await store.add(bob, elsewhere);
    expect(await whoami(url)).toBe('nobody');
    await store.update(id, { hosts: ['other.example'], label: 'Robert' });
    await store.lock(id);
    expect(await whoami(url)).toBe('nobody');
    expect(connections()).toBe(1);
    const shown = await store.add(ada, { hosts });
    expect(await whoami(url)).toBe('Ada');
    await store.update(shown.id, { hosts: ['localhost', 'other.example'], label: 'Countess' });
    await store.update(shown.id, { expiresAt: new Date(Date.now() + 60_000), idleTimeoutMs: 60_000 });
    await store.unlock(id);
    await store.delete({ id });
    expect(await whoami(url)).toBe('Ada');
    expect(connections()).toBe(2);
  });

  it('does not concern a connection on which no certificate was asked for', async () => {
    const { url, connections } = await stage.listen(variant, { requestCert: false });
    const { whoami } = await stage.visitor({ identities: store });
    expect(await whoami(url)).toBe('nobody');
    await store.add(ada, { hosts });
    expect([await whoami(url), connections()]).toEqual(['nobody', 1]);
  });

  it('that a server missed is shown when it is there', async () => {
    const { url } = await stage.listen(variant, { rejectUnauthorized: true });
    const { whoami } = await stage.visitor({ identities: store });
    expect(await whoami(url)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    await store.add(ada, { hosts });
    expect(await whoami(url)).toBe('Ada');
  });

  it('that a server missed is asked for again, though nothing has changed in the store', async () => {
    const { url } = await stage.listen(variant, { rejectUnauthorized: true });
    await store.add(ada);
    const { onChallenge, offered } = answering(leave, show(ada));
    const { whoami } = await stage.visitor({ identities: store, onChallenge });
    expect(await whoami(url)).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    expect([await whoami(url), offered.length]).toEqual(['Ada', 2]);
  });
});
