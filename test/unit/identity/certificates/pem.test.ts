import { beforeAll, describe, expect, it } from 'vitest';
import { CertificateReader } from '../../../../src/identity/certificates/certificate-reader.js';
import { parsePemOrDer } from '../../../../src/identity/certificates/pem.js';
import { engineModule } from '../../../support/engine.js';
import { certificateDer, OpensslPki } from '../../../support/openssl-pki.js';

const origin = { option: 'anchors' };

let pem: string;
let der: Uint8Array<ArrayBuffer>;
let reader: CertificateReader;

beforeAll(async () => {
  const pki = new OpensslPki();
  pem = pki.ca.cert;
  pki.close();
  der = Uint8Array.from(certificateDer(pem));
  reader = await CertificateReader.create(engineModule());
});

describe('parsePemOrDer', () => {
  it('reads every form', () => {
    const certificate = reader.describe(der);
    const bytes = new TextEncoder().encode(pem);
    for (const source of [pem, bytes, bytes.buffer, der, der.buffer, new DataView(der.buffer), certificate])
      expect(parsePemOrDer(source, origin)).toEqual([der]);
  });

  it('reads several certificates among other text', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    const bundle = `# roots\n${pem}subject=CN=x\n${key}${pem.replaceAll('\n', '\r\n')}`;
    expect(parsePemOrDer(bundle, origin)).toEqual([der, der]);
  });

  it('refuses the rest', () => {
    const malformed = expect.objectContaining({ code: 'ERR_CERT_MALFORMED' });
    const broken = '-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----';
    for (const source of ['', 'text', broken, new Uint8Array(), new Uint8Array([1, 2])])
      expect(() => parsePemOrDer(source, origin)).toThrow(malformed);
    for (const source of [null, 5, {}])
      expect(() => parsePemOrDer(source as unknown as string, origin)).toThrow(TypeError);
  });

  it.each([
    ['', 'empty'],
    ['  \n', 'empty'],
    ['<!doctype html><title>My app</title>', 'a web page or XML ("My app")'],
    ['<html><head><title>403 Forbidden</title></head></html>', 'a web page or XML ("403 Forbidden")'],
    ['403 Forbidden', "a server's error message"],
    ['{ "error": "no" }', 'JSON'],
    ['-----BEGIN CERTIFICATE REQUEST-----', 'a PEM file (CERTIFICATE REQUEST)'],
    ['my anchors', 'text without a PEM block'],
  ])('says what is there instead of a certificate: %j', (text, kind) => {
    const message = `There is no certificate in "anchors": it is ${kind}. Check where it comes from.`;
    for (const source of [text, new TextEncoder().encode(text)])
      expect(() => parsePemOrDer(source, origin)).toThrow(message);
    const address = 'https://example.com/ca.pem';
    const fromThere = `There is no certificate in the answer of ${address}: it is ${kind}. Check the address,`;
    expect(() => parsePemOrDer(text, { ...origin, address })).toThrow(fromThere);
  });
});
