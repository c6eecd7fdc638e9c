import { afterAll, expect, it } from 'vitest';
import { evaluateTrust } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { type Asked, Forge } from '../../support/limbo-kinds.js';
import { TrustPki } from '../../support/trust-pki.js';
import { DECIDED_OTHERWISE, KINDS } from './support/limbo-kinds.js';

const engine = engineModule();
const pki = new TrustPki();
const forge = new Forge(pki);
afterAll(() => pki.close());

async function outcome({ chain, anchor, ...asked }: Asked): Promise<string> {
  const ders = chain.map(it => it.cert);
  const { trusted, message } = await evaluateTrust(ders, { anchors: anchor.cert, ...asked, engine });
  return trusted ? 'trusted' : `refused: ${message}`;
}

const different: string[] = [];

it.each(KINDS)('$name: $wanted by x509-limbo', async ({ name, wanted, make }) => {
  const found = await outcome(make(forge));
  const agrees = found.startsWith(wanted);
  if (!agrees) different.push(name);
  expect(agrees, found).toBe(!DECIDED_OTHERWISE.includes(name));
});

it('agrees but for the kinds that docs/trust.md names', () => {
  console.log(`x509-limbo kinds: ${KINDS.length - different.length} of ${KINDS.length} agree`);
  expect(different.sort()).toEqual(DECIDED_OTHERWISE);
});
