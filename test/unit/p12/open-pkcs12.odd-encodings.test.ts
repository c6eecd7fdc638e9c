import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Der, element, objectIdentifier, sequence, Tag } from '../../../src/enroll/der.js';
import { evaluateTrust, openPkcs12 } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { commonName, forge, keyUsage } from '../../support/forged-certificates.js';
import { bmp, certificateBag, keyBag, oddPkcs12, pkcs8Of } from '../../support/odd-pkcs12.js';

const engine = engineModule();

afterEach(() => vi.restoreAllMocks());

describe.each([0x01, 0x7f, 0xfe])('a BOOLEAN that is TRUE as %i', octet => {
  const lax = element(Tag.boolean, Uint8Array.of(octet));
  const strict = element(Tag.boolean, Uint8Array.of(0xff));
  const constraints = (critical: Der, authority: Der) =>
    sequence(objectIdentifier('2.5.29.19'), critical, element(Tag.octetString, sequence(authority)));
  const chain = (extension: Der) => {
    const root = forge({ subject: commonName('root'), extensions: [constraints(strict, strict)] });
    const authority = forge({
      subject: commonName('authority'),
      by: root,
      extensions: [extension, keyUsage(5, 6)],
    });
    return { root, authority, leaf: forge({ subject: commonName('leaf'), by: authority }) };
  };

  it.each<[where: string, extension: Der]>([
    ['cA', constraints(strict, lax)],
    ['critical', constraints(lax, strict)],
  ])('as %s of an intermediate opens, and is named where servers are judged', async (_, extension) => {
    const { root, authority, leaf } = chain(extension);
    const bags = [keyBag(pkcs8Of(leaf.privateKey)), ...[leaf, authority].map(it => certificateBag(it.der))];
    const { identities, unsupported } = await openPkcs12(oddPkcs12([bags]), { engine });
    expect(unsupported).toEqual([]);
    expect(identities.map(it => it.chain.map(({ subject }) => subject))).toEqual([
      ['CN=leaf', 'CN=authority'],
    ]);
    const judged = evaluateTrust([leaf.der, authority.der], { anchors: root.der, purpose: 'client', engine });
    expect(await judged).toMatchObject({
      trusted: false,
      message: expect.stringMatching(/CN=authority has an extension whose BOOLEAN is not DER/),
    });
  });

  it('in an attribute of a private key opens', async () => {
    const { leaf } = chain(constraints(strict, strict));
    const attribute = sequence(objectIdentifier('1.2.3'), element(Tag.set, lax));
    const fields = fieldsOf(pkcs8Of(leaf.privateKey));
    const key = sequence(fields, element(0xa0, attribute));
    const file = oddPkcs12([[keyBag(key), certificateBag(leaf.der)]]);
    expect((await openPkcs12(file, { engine })).identities).toHaveLength(1);
  });
});

/** The content of a SEQUENCE. */
function fieldsOf(der: Uint8Array): Uint8Array {
  const first = der[1] ?? 0;
  return der.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}

it('the MAC of a long file is verified beside the page', async () => {
  const filling = sequence(
    objectIdentifier('1.2.3'),
    element(0xa0, element(Tag.octetString, randomBytes(9_000_000))),
  );
  const key = forge({ subject: commonName('own') });
  const bags = [filling, keyBag(pkcs8Of(key.privateKey)), certificateBag(key.der)];
  const file = oddPkcs12([bags], { mac: bmp('secret'), iterations: 1 });
  const verify = vi.spyOn(crypto.subtle, 'verify');
  const { identities } = await openPkcs12(file.slice(), { password: 'secret', engine });
  expect(identities).toHaveLength(1);
  const longest = verify.mock.calls.map(([, , , data]) => (data as ArrayBufferView).byteLength);
  expect(Math.max(...longest)).toBeGreaterThan(9_000_000);
  await expect(openPkcs12(file, { password: 'wrong', engine })).rejects.toMatchObject({
    code: 'ERR_P12_PASSWORD',
  });
});

it('a curve that is written out is named', async () => {
  const openssl = (args: string[], input?: Buffer) => execFileSync('openssl', args, { input, stdio: 'pipe' });
  const pem = openssl(['ecparam', '-name', 'prime256v1', '-param_enc', 'explicit', '-genkey', '-noout']);
  const pkcs8 = openssl(['pkcs8', '-topk8', '-nocrypt', '-outform', 'DER'], pem);
  const spki = openssl(['pkey', '-pubout', '-outform', 'DER'], pem);
  const certificate = forge({ subject: commonName('own'), spki: new Uint8Array(spki) });
  const named = {
    code: 'ERR_P12_UNSUPPORTED',
    message: expect.stringMatching(/ECDSA with explicit parameters/),
  };
  const bags = [keyBag(pkcs8), certificateBag(certificate.der)];
  await expect(openPkcs12(oddPkcs12([bags]), { engine })).rejects.toMatchObject(named);
  // A private key that names its curve does not help.
  const keyId = Uint8Array.of(1);
  const plain = [
    keyBag(pkcs8Of(certificate.privateKey), { keyId }),
    certificateBag(certificate.der, { keyId }),
  ];
  await expect(openPkcs12(oddPkcs12([plain]), { engine })).rejects.toMatchObject(named);
});
