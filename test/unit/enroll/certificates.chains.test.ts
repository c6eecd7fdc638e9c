import * as asn1js from 'asn1js';
import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIdentity, type Identity, IdentityStore, renew } from '../../../src/index.js';
import { CLIENT, crossSigned, root } from '../../support/cross-signed.js';
import { engineModule } from '../../support/engine.js';
import { commonName, type Forged, forge, StringTag } from '../../support/forged-certificates.js';

const engine = engineModule();
const [a, b] = [root('Root A'), root('Root B')];
const { authorities } = crossSigned([a, b]);
let store: IdentityStore;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(() => store.close());

/** The certificate that was asked for, by an authority whose name it writes in its own way. */
function issue(request: Uint8Array, serial: number): Forged {
  const { result } = asn1js.fromBER(request);
  const [info] = (result as asn1js.Sequence).valueBlock.value as asn1js.Sequence[];
  const spki = new Uint8Array(info?.valueBlock.value[2]?.valueBeforeDecodeView ?? []);
  return forge({
    subject: commonName('Ada'),
    issuer: commonName('INTER', StringTag.printable),
    by: authorities[0] as Forged,
    spki,
    serial: Uint8Array.of(serial),
    extensions: CLIENT,
  });
}

const issuers = ({ chain, otherChains }: Identity) =>
  [chain, ...(otherChains ?? [])].map(it => it.at(-1)?.issuer).sort();

it.each(['in memory', 'in a store'])(
  'an identity %s has the chains of its authority, and after renewal those of then',
  async where => {
    const kept = where === 'in a store' ? { store } : {};
    const enrolment = await createIdentity({ subject: 'CN=Ada', engine, ...kept });
    const sent = authorities.map(it => it.der);
    const identity = await enrolment.complete([issue(enrolment.request, 1).der, ...sent]);
    expect(issuers(identity)).toEqual(['CN=Root A', 'CN=Root B']);

    const answers = [[authorities[1] as Forged], authorities];
    for (const [at, others] of answers.entries()) {
      const authority = {
        issue: () => [],
        renew: () => [issue(enrolment.request, 2 + at).der, ...others.map(it => it.der)],
      };
      const renewed = await renew(identity, authority, { engine, ...kept } as never);
      const found = kept.store ? await store.find() : [renewed];
      expect(found).toHaveLength(1);
      expect(issuers(found[0] as Identity)).toEqual(
        others.length > 1 ? ['CN=Root A', 'CN=Root B'] : ['CN=Root B'],
      );
      expect(found[0]?.certificate.serialNumber).toBe(`0${2 + at}`);
    }
  },
);

it('finds what an authority has issued by its name as text', async () => {
  const enrolment = await createIdentity({ subject: 'CN=Ada', engine, store });
  await enrolment.complete([issue(enrolment.request, 1).der, ...authorities.map(it => it.der)]);
  expect(await store.find({ issuer: 'CN=Inter' })).toHaveLength(1);
  expect(await store.find({ issuer: 'CN=Inter 2' })).toHaveLength(0);
});
