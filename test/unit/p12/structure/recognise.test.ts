import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPkcs12 } from '../../../../src/p12/open-pkcs12.js';
import { engineModule } from '../../../support/engine.js';
import { OpensslFiles } from '../../../support/openssl-files.js';

let files: OpensslFiles;
beforeAll(() => {
  files = new OpensslFiles();
}, 30_000);
afterAll(() => files.close());

const open = (file: Uint8Array<ArrayBuffer>) =>
  openPkcs12(file, { password: 'secret', engine: engineModule(), maxIterations: 20_000 });

describe('something else', () => {
  it.each<[what: RegExp, make: () => Uint8Array<ArrayBuffer>]>([
    [/empty/, () => new Uint8Array()],
    [/PEM file \(CERTIFICATE\)/, () => files.read('root.pem')],
    [/PEM file \(PRIVATE KEY\)/, () => files.read('root.key')],
    [/a certificate/, () => der(['x509', '-in', 'root.pem'])],
    [/request/, () => der(['req', '-in', 'intermediate.csr'])],
    [/a private key/, () => der(['pkcs8', '-topk8', '-nocrypt', '-in', 'root.key'])],
    [/a private key/, () => der(['rsa', '-traditional', '-in', 'root.key'])],
    [/encrypted private key/, () => der(['pkcs8', '-topk8', '-passout', 'pass:x', '-in', 'root.key'])],
    [/PKCS#7/, () => der(['crl2pkcs7', '-nocrl', '-certfile', 'root.pem'])],
    [/base64/, () => encode(Buffer.from(files.export(files.client('p256'))).toString('base64'))],
    [/JKS/, () => Uint8Array.from([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2])],
    [/web page/, () => encode('<!DOCTYPE html><title>Login</title>')],
    [/web page/, () => encode('\n<!-- proxy --><html>')],
    [/web page/, () => encode('<head><title>Login</title>')],
    [/gzip/, () => new Uint8Array(gzipSync(files.export(files.client('p256'))))],
    [/PuTTY/, () => encode('PuTTY-User-Key-File-3: ssh-ed25519')],
    // As fetch().text() and `toString()` leave it.
    [/as text/, () => encode(new TextDecoder().decode(files.export(files.client('p256'))))],
    [/as text/, () => encode(Buffer.from(files.export(files.client('p256'))).toString('latin1'))],
  ])('is named: %s', async (message, make) => {
    await expect(open(make())).rejects.toMatchObject({
      code: 'ERR_P12_MALFORMED',
      message: expect.stringMatching(message),
    });
  });

  it('is told with what to do about it', async () => {
    const file = files.export(files.client('p256'));
    const damaged = open(file.slice(0, 200));
    await expect(damaged).rejects.toMatchObject({
      code: 'ERR_P12_MALFORMED',
      message: expect.stringMatching(/export it again/),
    });
    const mistyped = openPkcs12(file, { password: 'wrong' });
    await expect(mistyped).rejects.toMatchObject({
      code: 'ERR_P12_PASSWORD',
      message: expect.stringMatching(/Type it again/),
    });
  });

  const encode = (text: string) => new TextEncoder().encode(text);
  const der = (args: string[]) => {
    files.run([...args, '-outform', 'DER', '-out', 'other.der']);
    return files.read('other.der');
  };
});
