import type { RequestListener } from 'node:http';
import { expect, it } from 'vitest';
import { createIdentity, enroll, stepCa } from '../../../src/index.js';
import { codeOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { serving } from './support/serving.js';

// What no step-ca answers, but what is at its address may.

const engine = engineModule();
const TOKEN = 'header.claims.signature';

const answering =
  (status: number, body: string): RequestListener =>
  (_, response) => {
    response.writeHead(status).end(body);
  };

it.each([
  ['a page', answering(200, '<html>Welcome</html>'), 'ERR_ENROLL_CERTIFICATE'],
  ['JSON without certificates', answering(200, '{}'), 'ERR_ENROLL_CERTIFICATE'],
  ['null', answering(200, 'null'), 'ERR_ENROLL_CERTIFICATE'],
  ['a chain of numbers', answering(201, '{"certChain":[1]}'), 'ERR_ENROLL_CERTIFICATE'],
  ['a chain of words', answering(201, '{"certChain":["certificate"]}'), 'ERR_ENROLL_CERTIFICATE'],
  ['more than a chain', answering(201, ' '.repeat(1 << 21)), 'ERR_ENROLL_CERTIFICATE'],
  ['its own token back', answering(400, `{"message":"bad token ${TOKEN}"}`), 'ERR_ENROLL_REJECTED'],
  ['a gateway', answering(504, ''), 'ERR_ENROLL_UNREACHABLE'],
] as const)('%s in place of a chain', async (_, listener, code) => {
  await serving(listener, async url => {
    const enrolment = await createIdentity({ subject: 'CN=Ada', engine });
    const failure = await enroll(enrolment, stepCa({ url, token: TOKEN })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify([String(failure), (failure as Error).cause])).not.toContain(TOKEN);
  });
});

it('does not carry a token to where a redirect leads', async () => {
  const seen: string[] = [];
  const elsewhere: RequestListener = (request, response) => {
    seen.push(request.url ?? '');
    response.end();
  };
  await serving(elsewhere, async target => {
    const redirecting: RequestListener = (_, response) => response.writeHead(307, { location: target }).end();
    await serving(redirecting, async url => {
      const enrolment = await createIdentity({ subject: 'CN=Ada', engine });
      expect(await codeOf(enroll(enrolment, stepCa({ url, token: TOKEN })))).toBe('ERR_ENROLL_UNREACHABLE');
    });
  });
  expect(seen).toEqual([]);
});

it('takes no other root than the one of the fingerprint', async () => {
  const pki = new OpensslPki();
  const answer = JSON.stringify({ ca: pki.ca.cert });
  pki.close();
  await serving(answering(200, answer), async url => {
    const rootFingerprint = 'ab'.repeat(32);
    expect(await codeOf(stepCa({ url, rootFingerprint }).root())).toBe('ERR_ENROLL_CERTIFICATE');
  });
});

it('keeps the path of its address', async () => {
  const paths: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    paths.push(request.url);
    response.writeHead(404).end();
  };
  await serving(listener, async url => {
    const ca = stepCa({ url: `${url}/ca`, token: TOKEN });
    await codeOf(enroll({ subject: 'CN=Ada', engine }, ca));
  });
  expect(paths).toEqual(['/ca/1.0/sign']);
});

it.each([
  { url: 'nothing' },
  { url: 'ftp://ca.example' },
  { url: 'https://user:secret@ca.example' },
  { url: 'https://ca.example', rootFingerprint: 'ab' },
  { url: 'https://ca.example', notAfter: new Date(Number.NaN) },
])('refuses the options %j', options => {
  expect(() => stepCa(options)).toThrow(TypeError);
});
