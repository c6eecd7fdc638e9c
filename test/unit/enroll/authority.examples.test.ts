import type { RequestListener } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CertificateAuthority, createIdentity, enroll, renew } from '../../../src/index.js';
import { documented } from '../../support/documented.js';
import { engineModule } from '../../support/engine.js';
import { RequestSigner } from './support/openssl.js';
import { serving } from './support/serving.js';

const engine = engineModule();
interface OwnEndpoint {
  ownEndpoint(url: string): CertificateAuthority;
}

const ada = { subject: 'CN=Ada', engine };
let openssl: RequestSigner;
let est: (url: string, options: { fetch: typeof fetch; authorization: string }) => CertificateAuthority;

beforeAll(async () => {
  ({ est } = await documented<{ est: typeof est }>('docs/enrolment.md', 'est'));
  openssl = new RequestSigner();
});
afterAll(() => openssl.close());

it('EST enrols and re-enrols', async () => {
  await serving(estServer(), async url => {
    const authority = est(url, { fetch, authorization: `Basic ${btoa('ada:secret')}` });
    const identity = await enroll(ada, authority);
    expect(identity.chain.map(it => it.subject)).toEqual(['CN=Ada', 'CN=Enrolment CA', 'CN=Enrolment Root']);
    expect(identity.trust.trusted).toBe(true);
    const renewed = await renew(identity, authority, { engine, newKey: 'ECDSA P-256' });
    expect(renewed.certificate.subject).toBe('CN=Ada');
    await expect(renew(identity, authority, { engine })).rejects.toThrow(TypeError);
    expect(renewed.certificate.spkiPin).not.toBe(identity.certificate.spkiPin);
  });
});

it('EST that lets nobody in is told by its status, and one that wants time by a code of its own', async () => {
  await serving(estServer(), async url => {
    const refused = enroll(ada, est(url, { fetch, authorization: 'Basic x' }));
    await expect(refused).rejects.toMatchObject({ code: 'ERR_ENROLL_REJECTED', cause: { status: 401 } });
  });
  const later: RequestListener = (_, response) =>
    response.writeHead(202, { 'retry-after': '60' }).end('in a minute');
  await serving(later, async url => {
    const enrolment = await createIdentity(ada);
    const authority = est(url, { fetch, authorization: '' });
    const message = 'The certificate authority answered 202: in a minute';
    await expect(enroll(enrolment, authority)).rejects.toMatchObject({ code: 'ERR_ENROLL_PENDING', message });
    expect(await enrolment.complete(openssl.issue(enrolment.request))).toBeDefined();
  });
});

it('an endpoint of one’s own answers with PEM', async () => {
  const { ownEndpoint } = await documented<OwnEndpoint>('docs/enrolment.md', 'ownEndpoint');
  const endpoint: RequestListener = async (request, response) =>
    response.end(openssl.issue(await buffer(request)) + openssl.intermediate);
  await serving(endpoint, async url => {
    const identity = await enroll(ada, ownEndpoint(url));
    expect(identity.chain.map(it => it.subject)).toEqual(['CN=Ada', 'CN=Enrolment CA']);
  });
});

/** As RFC 7030 has it, sections 4.1 and 4.2. */
function estServer(): RequestListener {
  return async (request, response) => {
    const operation = request.url?.replace('/.well-known/est/', '');
    const send = (...pems: string[]) =>
      response
        .writeHead(200, { 'content-type': 'application/pkcs7-mime', 'content-transfer-encoding': 'base64' })
        .end(certsOnly(pems));
    if (operation === 'cacerts') return send(openssl.root, openssl.intermediate);
    if (request.headers.authorization !== `Basic ${btoa('ada:secret')}`) return response.writeHead(401).end();
    const body = (await buffer(request)).toString();
    return send(openssl.issue(Buffer.from(body, 'base64')));
  };
}

function certsOnly(pems: string[]): string {
  const files = pems.flatMap((pem, i) => ['-certfile', openssl.write(`${i}.pem`, pem)]);
  return openssl
    .run('crl2pkcs7', '-nocrl', ...files, '-outform', 'DER')
    .toString('base64')
    .replace(/.{64}/g, '$&\n');
}
