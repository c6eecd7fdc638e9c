import { describe, expect, it, vi } from 'vitest';
import type { Certificate, Identity } from '../../../../src/identity/types.js';
import { openPkcs12 } from '../../../../src/p12/open-pkcs12.js';
import { CLIENT, client, crossSigned, EXPIRED, root } from '../../../support/cross-signed.js';
import { engineModule } from '../../../support/engine.js';
import {
  AUTHORITY,
  commonName,
  type Forged,
  forge,
  makeKey,
  StringTag,
  utcTime,
} from '../../../support/forged-certificates.js';
import { writePkcs12 } from '../../../support/pkcs12.js';

async function open(own: Forged, others: Forged[]): Promise<{ identity: Identity; rest: Certificate[] }> {
  const file = writePkcs12(own, { password: 'secret', chain: others.map(it => it.cert).join('') });
  const { identities, certificates } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
  const [identity] = identities;
  if (!identity) throw new Error('no identity');
  return { identity, rest: certificates };
}

/** Which certificates a chain is made of, by their place among those that were put into the file. */
function places(chain: Certificate[] | undefined, all: Forged[]): number[] {
  return (chain ?? []).map(({ der }) => all.findIndex(it => Buffer.compare(it.der, der) === 0));
}

async function expectChains(all: Forged[], wanted: number[][]): Promise<Identity> {
  const [own, ...others] = all;
  if (!own) throw new Error('no certificate');
  for (const order of [others, others.toReversed()]) {
    const { identity } = await open(own, order);
    expect(places(identity.chain, all)).toEqual(wanted[0]);
    expect((identity.otherChains ?? []).map(it => places(it, all)).sort()).toEqual(wanted.slice(1).sort());
  }
  return (await open(own, others)).identity;
}

const { printable, teletex, bmp } = StringTag;

describe('the chain of a file', () => {
  it('does not care for the types of strings, case and spaces', async () => {
    const top = forge({ subject: commonName('Zürich Root', teletex), extensions: AUTHORITY });
    const middle = forge({
      subject: commonName('Field  Sub ', printable),
      issuer: commonName('Zürich ROOT', bmp),
      by: top,
      extensions: AUTHORITY,
    });
    const own = forge({
      subject: commonName('Ada'),
      issuer: commonName('field sub'),
      by: middle,
      extensions: CLIENT,
    });
    const { trust } = await expectChains([own, middle, top], [[0, 1, 2]]);
    expect(trust).toMatchObject({ trusted: true });
  });

  it('of two authorities with one name and other keys is that of the one that signed', async () => {
    const top = root('Root');
    const [old, young] = [60, 30].map(days =>
      forge({
        subject: commonName('CA'),
        by: top,
        extensions: AUTHORITY,
        validity: [utcTime(-1), utcTime(days)],
      }),
    ) as [Forged, Forged];
    await expectChains([client(young), old, young, top], [[0, 2, 3]]);
    await expectChains([client(old), old, young, top], [[0, 1, 3]]);
  });

  it('of one key with two names is that of the name', async () => {
    const top = root('Root');
    const key = makeKey();
    const [one, other] = ['One', 'Other'].map(it =>
      forge({ subject: commonName(it), by: top, key, extensions: AUTHORITY }),
    ) as [Forged, Forged];
    await expectChains([client(other), one, other, top], [[0, 2, 3]]);
  });
});

describe('an authority below two roots', () => {
  const [a, b] = [root('Root A'), root('Root B')];

  it('gives two chains', async () => {
    const { client: own, authorities } = crossSigned([a, b]);
    const identity = await expectOneOf(
      [own, ...authorities, a, b],
      [
        [0, 1, 3],
        [0, 2, 4],
      ],
    );
    expect(identity.trust.trusted).toBe(true);
  });

  it('gives two chains where no root is in the file', async () => {
    const { client: own, authorities } = crossSigned([a, b]);
    await expectOneOf(
      [own, ...authorities],
      [
        [0, 1],
        [0, 2],
      ],
    );
  });

  it('has the chain to a root that is there first', async () => {
    const { client: own, authorities } = crossSigned([a, b]);
    await expectChains(
      [own, ...authorities, b],
      [
        [0, 2, 3],
        [0, 1],
      ],
    );
  });

  it('has the certificate that is valid first', async () => {
    const key = makeKey();
    const valid = forge({ subject: commonName('Inter'), by: b, key, extensions: AUTHORITY });
    const expired = forge({
      subject: commonName('Inter'),
      by: a,
      key,
      extensions: AUTHORITY,
      validity: EXPIRED,
    });
    await expectChains(
      [client(valid), expired, valid, a, b],
      [
        [0, 2, 4],
        [0, 1, 3],
      ],
    );
    await expectChains(
      [client(valid), expired, valid, a],
      [
        [0, 2],
        [0, 1, 3],
      ],
    );
  });

  it('leaves the root that no chain begins with among the other certificates', async () => {
    const { client: own, authorities } = crossSigned([a, b]);
    const { identity, rest } = await open(own, [...authorities, a, b]);
    const known = identity.chain.map(it => it.fingerprint);
    expect(rest.map(it => it.subject).sort()).toEqual(
      identity.chain.at(-1)?.subject === 'CN=Root A' ? ['CN=Inter', 'CN=Root B'] : ['CN=Inter', 'CN=Root A'],
    );
    expect(rest.some(it => known.includes(it.fingerprint))).toBe(false);
  });
});

it('leads from a new key of a root to its old one', async () => {
  const old = root('Root');
  const newKey = makeKey();
  const validity: [ReturnType<typeof utcTime>, ReturnType<typeof utcTime>] = [utcTime(-1), utcTime(20)];
  const bridge = forge({
    subject: commonName('Root'),
    by: old,
    key: newKey,
    extensions: AUTHORITY,
    validity,
  });
  const young = forge({ subject: commonName('Root'), key: newKey, extensions: AUTHORITY });
  await expectChains(
    [client(young), bridge, young, old],
    [
      [0, 2],
      [0, 1, 3],
    ],
  );
  const { trust } = await expectChains([client(young), bridge, old], [[0, 1, 2]]);
  expect(trust.trusted).toBe(true);
});

it('goes round no circle', async () => {
  const keys = [makeKey(), makeKey()] as const;
  const [one, other] = [root('One'), root('Other')];
  const byOther = forge({
    subject: commonName('One'),
    issuer: commonName('Other'),
    by: { ...other, privateKey: keys[1] },
    key: keys[0],
    extensions: AUTHORITY,
  });
  const byOne = forge({
    subject: commonName('Other'),
    issuer: commonName('One'),
    by: { ...one, privateKey: keys[0] },
    key: keys[1],
    extensions: AUTHORITY,
  });
  await expectChains([client(byOther), byOther, byOne], [[0, 1, 2]]);
});

it('looks at a few of the ways through many cross-signed authorities', async () => {
  let above = [root('Root 0a'), root('Root 0b'), root('Root 0c')];
  const all = [...above];
  for (let level = 1; level < 8; level++) {
    above = crossSigned(above, { name: `Authority ${level}` }).authorities;
    all.push(...above);
  }
  const verify = vi.spyOn(crypto.subtle, 'verify');
  const { identity } = await open(client(above[0] as Forged), all);
  expect(identity.chain).toHaveLength(9);
  expect(identity.otherChains).toHaveLength(7);
  expect(verify.mock.calls.length).toBeLessThan(100);
  verify.mockRestore();
});

/** In whatever order, where nothing prefers one. */
async function expectOneOf(all: Forged[], wanted: [number[], number[]]): Promise<Identity> {
  const [own, ...others] = all;
  if (!own) throw new Error('no certificate');
  const { identity } = await open(own, others);
  const found = [identity.chain, ...(identity.otherChains ?? [])].map(it => places(it, all));
  expect(found.sort()).toEqual([...wanted].sort());
  return identity;
}
