import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Anchor, type Certificate, evaluateTrust, parseCertificates } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { certificateDer, OpensslPki } from '../../support/openssl-pki.js';

// The same sources do wherever certificates are read.

const engine = engineModule();
const pki = new OpensslPki('Root');
const pem = pki.ca.cert;
const der = Uint8Array.from(certificateDer(pem));
let certificate: Certificate;

beforeAll(async () => {
  [certificate] = (await parseCertificates(pem, { engine })) as [Certificate];
});
afterAll(() => pki.close());

describe.each<[string, () => Anchor]>([
  ['PEM', () => pem],
  ['bytes of PEM', () => new TextEncoder().encode(pem)],
  ['DER in an array', () => der],
  ['DER in an ArrayBuffer', () => der.buffer],
  ['DER in a DataView', () => new DataView(der.buffer)],
  ['a Certificate', () => certificate],
  ['a Response with PEM', () => new Response(pem)],
  ['a Response with DER', () => new Response(der)],
  ['a Blob with DER', () => new Blob([der])],
  ['a File with PEM', () => new File([pem], 'ca.pem')],
])('%s', (_, source) => {
  it('is taken as a chain, as an anchor, and by parseCertificates', async () => {
    const { trusted, chain } = await evaluateTrust(source(), { anchors: source(), engine });
    expect({ trusted, chain }).toEqual({ trusted: true, chain: [certificate] });
    expect(await evaluateTrust([source()], { anchors: [source()], engine })).toMatchObject({ trusted });
    expect(await parseCertificates(source() as never, { engine })).toEqual([certificate]);
  });
});

it.each<[string, (source: never) => Promise<unknown>]>([
  ['chain', source => evaluateTrust(source, { anchors: pem, engine })],
  ['anchors', source => evaluateTrust(pem, { anchors: source, engine })],
  ['crls', source => evaluateTrust(pem, { anchors: pem, crls: source, engine })],
  ['source', source => parseCertificates(source, { engine })],
])('"%s" tells what else it was given', async (option, call) => {
  const given = (source: unknown) => call(source as never);
  await expect(given(5)).rejects.toThrow(new RegExp(`^"${option}" must be a PEM string, DER bytes, `));
  await expect(given(new Blob(['<html>']))).rejects.toMatchObject({
    code: 'ERR_CERT_MALFORMED',
    message: expect.stringContaining(`in "${option}": it is a web page`),
  });
  await expect(given(new Response('', { status: 403 }))).rejects.toThrow(/answered 403/);
});
