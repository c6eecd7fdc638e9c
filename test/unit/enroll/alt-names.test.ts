import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdentity, type Subject } from '../../../src/index.js';
import { engineModule } from '../../support/engine.js';
import { RequestSigner } from './support/openssl.js';

let openssl: RequestSigner;
const engine = engineModule();

beforeAll(() => {
  openssl = new RequestSigner();
});
afterAll(() => openssl.close());

const request = (subject: Subject, subjectAltNames: string[]) =>
  createIdentity({ subject, subjectAltNames, engine });

describe('alternative names', () => {
  const asked = [
    ...[
      'DNS:example.com',
      'dns:Bücher.example',
      '*.example.org',
      'email:ada@example.com',
      'bob@Bücher.example',
    ],
    ...[
      'IP:127.0.0.1',
      '::ffff:10.0.0.1',
      '2001:db8::1',
      'URI:spiffe://a/b',
      'urn:uuid:1',
      'UPN:ada@corp.example',
    ],
  ];
  const given = [
    ...['DNS:example.com', 'DNS:xn--bcher-kva.example', 'DNS:*.example.org', 'email:ada@example.com'],
    ...[
      'email:bob@xn--bcher-kva.example',
      'IP:127.0.0.1',
      'IP:::ffff:10.0.0.1',
      'IP:2001:db8::1',
      'URI:spiffe://a/b',
    ],
    ...['URI:urn:uuid:1', 'UPN:ada@corp.example'],
  ];

  it('go from the request to the certificate', async () => {
    const enrolment = await request('CN=Ada', asked);
    const text = openssl.readRequest(enrolment.request);
    expect(text).toContain('IP Address:2001:DB8:0:0:0:0:0:1');
    expect(text).not.toContain('critical');
    const { certificate } = await enrolment.complete(openssl.issue(enrolment.request));
    expect(certificate.subjectAltNames).toEqual(given);
  });

  it('are critical when there is no subject', async () => {
    const enrolment = await createIdentity({ subjectAltNames: ['ada@example.com'], engine });
    expect(openssl.readRequest(enrolment.request)).toMatch(
      /Subject Alternative Name: critical\s+email:ada@example/,
    );
    expect(enrolment.subject).toBe('');
  });

  it.each([
    '',
    'DNS:',
    'Ada Lovelace',
    'DNS:127.0.0.1',
    'IP:example.com',
    'email:ada',
    'a@b@c',
    'URI:nothing',
    'DNS:a..b',
    'DNS:a/b',
    'IP:1.2.3.256',
    'DNS:-a',
  ])('refuses %j', async name => {
    await expect(request('CN=Ada', [name])).rejects.toThrow(TypeError);
  });
});

it.each(['example.com', [1], [null]])('takes no %j for alternative names', async subjectAltNames => {
  const wrong = { subject: 'CN=Ada', subjectAltNames: subjectAltNames as never, engine };
  await expect(createIdentity(wrong)).rejects.toThrow(TypeError);
});
