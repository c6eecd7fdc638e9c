import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { CertificateReader } from '../../../../src/identity/certificates/certificate-reader.js';
import { engineModule } from '../../../support/engine.js';

let pem: string;
let der: Uint8Array<ArrayBuffer>;
let reader: CertificateReader;

beforeAll(async () => {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    '/dev/null',
  ];
  const subject = ['-subj', '/O=Łódź, #1/CN=Ada', '-utf8', '-set_serial', '0x80ff'];
  pem = execFileSync('openssl', [...args, ...subject], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  der = new Uint8Array(Buffer.from(pem.replace(/-----.*-----/g, ''), 'base64'));
  reader = await CertificateReader.create(engineModule());
});

describe('describeCertificate', () => {
  it('describes', () => {
    const certificate = reader.describe(der);
    expect(certificate).toMatchObject({
      der,
      pem,
      subject: 'CN=Ada,O=Łódź\\, #1',
      serialNumber: '80ff',
      keyAlgorithm: 'ECDSA P-256',
    });
    expect(certificate.notBefore.getTime()).toBeLessThan(certificate.notAfter.getTime());
  });

  it('throws one kind of error at damage', () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => reader.describe(der.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'ERR_CERT_MALFORMED' }),
      );
    }
    for (let bit = 0; bit < 8 * der.length; bit++) {
      const bad = der.slice();
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        const { notBefore, notAfter } = reader.describe(bad);
        expect(notBefore.getTime() + notAfter.getTime()).not.toBeNaN();
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_CERT_MALFORMED' });
      }
    }
  });
});
