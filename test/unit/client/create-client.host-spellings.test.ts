import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Identity, Tunnel } from '../../../src/index.js';
import { dialTcp } from '../../support/tcp-tunnel.js';
import { answering, IdentityStage, show, VARIANTS } from './support/identity-stage.js';

const stage = new IdentityStage();
let ada: Identity;

beforeAll(async () => {
  ada = await stage.identity('Ada');
});
afterEach(() => stage.reset());
afterAll(() => stage.close());

/** A tunnel that notes where it was to lead to. */
function noting() {
  const hostnames = new Set<string>();
  const tunnel: Tunnel = {
    connect: async ({ hostname, port }) => {
      hostnames.add(hostname);
      return dialTcp(port);
    },
  };
  return { hostnames, tunnel };
}

/** Spellings of one host, the canonical one first. */
const HOSTS = [
  ['localhost', 'LOCALHOST', 'LocalHost.'],
  ['xn--bcher-kva.example', 'bücher.example', 'BÜCHER.example.'],
  ['127.0.0.1', '127.1', '0x7f000001', '127.0.0.1.'],
  ['[::1]', '[0:0::1]', '[0:0:0:0:0:0:0:1]'],
] as const;

const altNames = 'DNS:localhost,DNS:xn--bcher-kva.example,IP:127.0.0.1,IP:::1';

describe.each(HOSTS)('%s, however it is spelled,', (canonical, other, ...more) => {
  const listen = (variant = VARIANTS[0]) =>
    stage.listen(variant as (typeof VARIANTS)[0], stage.pki.issue({ subject: '/CN=server', altNames }));
  const spellings = [other, ...more, canonical];

  it.each(VARIANTS)('is asked about once, over $protocol and $tls', async variant => {
    const { port } = await listen(variant);
    const { hostnames, tunnel } = noting();
    const { offered, onChallenge } = answering(show(ada));
    const { client, whoami } = await stage.visitor({ tunnel, onChallenge, identities: [ada] });
    for (const host of spellings) {
      expect(await whoami(`https://${host}:${port}/`)).toBe('Ada');
      const socket = client.connect(`${host}:${port}`);
      expect((await socket.opened).remoteAddress).toBe(`${canonical}:${port}`);
      await socket.close();
    }
    expect(offered).toHaveLength(1);
    expect([...hostnames]).toEqual([canonical.replace(/[[\]]/g, '')]);
    expect((await client.answers()).map(({ host }) => host)).toEqual([`${canonical}:${port}`]);
    await client.forget(other);
    expect(await client.answers()).toEqual([]);
    expect(await whoami(`https://${canonical}:${port}/`)).toBe('Ada');
    expect(offered).toHaveLength(2);
  });

  it('is one that the page has asked for, when a redirect spells it otherwise', async () => {
    const { port } = await listen();
    const { tunnel } = noting();
    const { client, whoami } = await stage.visitor({ tunnel, identities: [ada] });
    await client.connect(`${other}:${port}`).opened;
    const target = encodeURIComponent(`https://${canonical}:${port}/`);
    const first = await stage.listen({ protocol: 'h2', tls: 'TLSv1.3' });
    expect(await whoami(`${first.url}to?${target}`)).toBe('Ada');
  });

  it('has the pins and hosts of any spelling', async () => {
    const { port } = await listen();
    const { tunnel } = noting();
    const pins = { [other]: [ada.certificate.spkiPin] };
    const anchors = [stage.pki.ca.cert];
    const pinned = await stage.visitor({ tunnel, trust: { anchors, pins } });
    const store = await stage.openStore();
    await store.add(ada, { hosts: [other] });
    const known = await stage.visitor({ tunnel, identities: store });
    for (const host of spellings) {
      expect(await pinned.whoami(`https://${host}:${port}/`)).toBe('ERR_TLS_PIN');
      expect(await known.whoami(`https://${host}:${port}/`)).toBe('Ada');
    }
  });
});

it.each(['localhost..', '.', 'a b', '', '[::1%lo]', 'example.com/path'])(
  'takes no socket to %j',
  async hostname => {
    const { client } = await stage.visitor({});
    expect(() => client.connect({ hostname, port: 443 })).toThrow(TypeError);
  },
);

it('sends nothing to a name that ends in two dots', async () => {
  const { hostnames, tunnel } = noting();
  const { client } = await stage.visitor({ tunnel });
  await expect(client.fetch('https://localhost../')).rejects.toThrow(/must be a DNS name/);
  expect(hostnames.size).toBe(0);
});
