import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Identity, IdentityStore } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import {
  answering,
  IdentityStage,
  leave,
  preferBob,
  reject,
  show,
  VARIANTS,
} from '../client/support/identity-stage.js';

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

const visitor = (handler: ReturnType<typeof answering>) =>
  stage.visitor({ identities: store, onChallenge: handler.onChallenge });

describe.each(VARIANTS)('over $protocol and $tls, an answer', variant => {
  it('for good, given in another tab, holds from the next request on', async () => {
    const { url } = await stage.listen(variant);
    await store.add(ada, { hosts });
    await store.add(bob, { hosts });
    // Without a handler of its own opinion.
    const here = await visitor(answering(leave));
    expect(await here.whoami(url)).toBe('nobody');
    const other = await stage.openStore();
    const there = await stage.visitor({
      identities: other,
      onChallenge: answering(preferBob('permanent')).onChallenge,
    });
    expect(await there.whoami(url)).toBe('Bob');
    await expect.poll(() => here.whoami(url)).toBe('Bob');
  });

  it('for good that another tab forgets is asked for again', async () => {
    const { url } = await stage.listen(variant);
    await store.add(ada, { hosts });
    const handler = answering(preferBob('permanent'), reject);
    const { whoami } = await visitor(handler);
    expect([await whoami(url), await whoami(url), handler.offered.length]).toEqual(['Ada', 'Ada', 1]);
    const other = await stage.visitor({ identities: await stage.openStore() });
    await other.client.forget('elsewhere.example');
    expect(await whoami(url)).toBe('Ada');
    await other.client.forget('localhost');
    await expect.poll(() => whoami(url)).toBe('nobody');
    expect(handler.offered).toHaveLength(2);
  });

  it('for one connection is asked for again when there is another identity to choose', async () => {
    const { url, connections } = await stage.listen(variant);
    await store.add(ada, { hosts });
    const handler = answering(preferBob('none'));
    const { whoami } = await visitor(handler);
    expect([await whoami(url), await whoami(url)]).toEqual(['Ada', 'Ada']);
    const { id } = await store.add(bob, { hosts: ['elsewhere.example'] });
    expect([await whoami(url), connections()]).toEqual(['Ada', 1]);
    await store.update(id, { hosts });
    expect([await whoami(url), await whoami(url)]).toEqual(['Bob', 'Bob']);
    expect(handler.offered).toEqual([['CN=Ada'], ['CN=Ada', 'CN=Bob']]);
  });

  it('left to the default follows the store', async () => {
    const { url } = await stage.listen(variant);
    const handler = answering(leave);
    const { whoami } = await visitor(handler);
    expect(await whoami(url)).toBe('nobody');
    await store.add(ada, { hosts });
    expect(await whoami(url)).toBe('Ada');
    const { id } = await store.add(bob, { hosts });
    expect(await whoami(url)).toBe('nobody');
    await store.delete({ id });
    expect(await whoami(url)).toBe('Ada');
  });

  it('that rejects is asked for again when there is an identity that could not be chosen then', async () => {
    const { url, connections } = await stage.listen(variant);
    const handler = answering(preferBob('session'));
    const { client, whoami } = await visitor(handler);
    expect([await whoami(url), await whoami(url)]).toEqual(['nobody', 'nobody']);
    await store.add(bob, { hosts: ['elsewhere.example'] });
    expect([await whoami(url), connections(), handler.offered]).toEqual(['nobody', 1, [[]]]);
    await store.add(ada, { hosts });
    expect([await whoami(url), handler.offered]).toEqual(['Ada', [[], ['CN=Ada']]]);
    expect(await client.answers()).toMatchObject([{ identity: { certificate: { subject: 'CN=Ada' } } }]);
  });

  it('for the session holds on all connections, those made before it too', async () => {
    const { url, release } = await stage.listen(variant);
    const stored = await store.add(ada, { hosts });
    await store.add(bob, { hosts });
    const { client, whoami } = await visitor(answering(show(stored, 'none'), preferBob('session')));
    const slow = await client.fetch(`${url}slow`);
    // A socket makes a connection of its own, and asks.
    await client.connect(url.slice('https://'.length, -1)).opened;
    expect(await whoami(url)).toBe('Bob');
    release();
    expect(await slow.text()).toBe('Ada');
  });

  it('for the session holds whatever comes into the store', async () => {
    const { url, connections } = await stage.listen(variant);
    await store.add(ada, { hosts });
    const handler = answering(preferBob('session'));
    const { whoami } = await visitor(handler);
    expect(await whoami(url)).toBe('Ada');
    await store.add(bob, { hosts });
    expect([await whoami(url), connections(), handler.offered.length]).toEqual(['Ada', 1, 1]);
  });

  it('goes over to the renewed certificate', async () => {
    const { url } = await stage.listen(variant);
    const pair = stage.pki.issue({ subject: '/CN=Before' });
    const renewed = await identityOf(stage.pki.issue({ subject: '/CN=After', key: pair.key }));
    const { id } = await store.add(await identityOf(pair), { hosts });
    const handler = answering(preferBob('session'));
    const { whoami } = await visitor(handler);
    expect(await whoami(url)).toBe('Before');
    await store.replaceCertificate(id, renewed);
    expect([await whoami(url), handler.offered.length]).toEqual(['After', 1]);
  });

  it('given while an identity was imported for it is not asked for twice', async () => {
    const { url, connections } = await stage.listen(variant);
    const imports: (() => Promise<Identity>)[] = [() => store.add(ada, { hosts })];
    let asked = 0;
    const { whoami } = await stage.visitor({
      identities: store,
      onChallenge: async ({ method }) => {
        if (method === 'server-trust') return { disposition: 'default' };
        asked++;
        const identity = await imports.pop()?.();
        return identity
          ? { disposition: 'use-credential', credential: { identity, persistence: 'none' } }
          : { disposition: 'cancel' };
      },
    });
    expect([await whoami(url), await whoami(url), asked, connections()]).toEqual(['Ada', 'Ada', 1, 1]);
  });

  it('for good about an identity that has expired is asked for at each connection, and serves the request', async () => {
    const { url, cut } = await stage.listen(variant);
    const stored = await store.add(await stage.identity('Late', [-3, -1]), { hosts });
    const handler = answering(show(stored, 'permanent'));
    const { whoami } = await visitor(handler);
    expect([await whoami(url), await whoami(url)]).toEqual(['Late', 'Late']);
    expect(handler.offered).toHaveLength(1);
    cut();
    expect(await whoami(url)).toBe('Late');
  });
});
