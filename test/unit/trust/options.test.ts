import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMaterial } from '../../../src/trust/options.js';
import { certificateDer, OpensslPki } from '../../support/openssl-pki.js';
import { startPages } from '../../support/pages.js';

const pki = new OpensslPki('Root');
const ROOT = pki.ca.cert;
const START_PAGE = '<!doctype html><html><head><title>My app</title></head></html>';
let pages: Awaited<ReturnType<typeof startPages>>;

beforeAll(async () => {
  pages = await startPages({ pages: { '/ca.pem': ROOT, '/': START_PAGE, '/empty.pem': '' } });
});

afterAll(async () => {
  await pages.stop();
  pki.close();
});

const fetched = (path: string) => fetch(`${pages.origin}${path}`);

describe('anchors and lists in a Response', () => {
  it('are read', async () => {
    const { anchors } = await readMaterial({ anchors: [await fetched('/ca.pem'), ROOT] });
    const der = Uint8Array.from(certificateDer(ROOT));
    expect(anchors).toEqual([der, der]);
    const response = new Response(der);
    expect((await readMaterial({ anchors: response })).anchors).toEqual([der]);
  });

  it.each([
    [
      '/?token=1',
      'There is no certificate in the answer of ORIGIN/: it is a web page or XML ("My app"). Check the address, and that the file is there: many servers answer with a page when a file is missing.',
    ],
    [
      '/empty.pem',
      'There is no certificate in the answer of ORIGIN/empty.pem: it is empty. Check the address, and that the file is there: many servers answer with a page when a file is missing.',
    ],
    ['/none.pem', 'ORIGIN/none.pem answered 404: check the address, and whether the page may read it.'],
  ])('that hold something else are an error with the address: %s', async (path, message) => {
    const told = { code: 'ERR_CERT_MALFORMED', message: message.replace('ORIGIN', pages.origin) };
    await expect(readMaterial({ anchors: await fetched(path) })).rejects.toMatchObject(told);
    told.message = told.message.replace('certificate in', 'certificate revocation list in');
    await expect(readMaterial({ crls: [await fetched(path)] })).rejects.toMatchObject(told);
  });

  it('without an address are told by the option', async () => {
    const anchors = new Response('forbidden', { status: 403 });
    const message =
      'The response in "trust.anchors" answered 403: check the address, and whether the page may read it.';
    await expect(readMaterial({ anchors }, 'trust.')).rejects.toThrow(message);
  });

  it('whose body was read before are misuse', async () => {
    const anchors = new Response(ROOT);
    await anchors.text();
    const message = '"trust.anchors" must be a Response whose body has not been read';
    await expect(readMaterial({ anchors }, 'trust.')).rejects.toThrow(new TypeError(message));
  });
});

it('what is no anchor and no list is misuse that names the option', async () => {
  const anchors = [5] as unknown as string[];
  const misuse = '"trust.anchors" must be a PEM string, DER bytes, a Certificate, a Blob or a Response';
  await expect(readMaterial({ anchors }, 'trust.')).rejects.toThrow(new TypeError(misuse));
  const crls = [5] as unknown as string[];
  await expect(readMaterial({ crls })).rejects.toThrow(
    new TypeError('"crls" must be a PEM string, DER bytes, a Blob or a Response'),
  );
});
