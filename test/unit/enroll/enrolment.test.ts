import 'fake-indexeddb/auto';
import { openDB } from 'idb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createIdentity,
  type Enrolment,
  enroll,
  type IdentityControls,
  IdentityStore,
  parseCertificates,
  pendingEnrolments,
  renew,
  type StoredIdentity,
} from '../../../src/index.js';
import { passphraseVerification } from '../../../src/store/verification/passphrase-verification.js';
import { toBase64 } from '../../../src/util/encoding.js';
import { codeOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { RequestSigner } from './support/openssl.js';

const engine = engineModule();
const ada = { subject: 'CN=Ada', engine };
let openssl: RequestSigner;
let name: string;
let store: IdentityStore;
/** How often the person was asked for a passphrase. */
let questions: number;

beforeAll(() => {
  openssl = new RequestSigner();
});
afterAll(() => openssl.close());

beforeEach(async () => {
  name = crypto.randomUUID();
  questions = 0;
  store = await openStore();
});
afterEach(() => store.close());

const openStore = () =>
  IdentityStore.open({
    name,
    verification: passphraseVerification({
      ask: () => {
        questions++;
        return 'correct horse';
      },
    }),
  });

async function reload(): Promise<void> {
  store.close();
  store = await openStore();
}

describe('the chain', () => {
  it.each<[string, (leaf: string) => Parameters<Enrolment['complete']>[0]]>([
    ['as one PEM text, the root first', leaf => openssl.root + openssl.intermediate + leaf],
    ['as PEM bytes', leaf => new TextEncoder().encode(leaf + openssl.intermediate + openssl.root)],
    ['as a list of PEM texts with one twice', leaf => [openssl.intermediate, leaf, leaf, openssl.root]],
    ['as DER', leaf => [leaf, openssl.root, openssl.intermediate].map(derOf)],
    ['as a view', leaf => [derOf(leaf), derOf(openssl.root).buffer as ArrayBuffer, openssl.intermediate]],
    ['as a PKCS#7 in DER', leaf => pkcs7(leaf, 'DER')],
    ['as a PKCS#7 in PEM', leaf => new TextDecoder().decode(pkcs7(leaf, 'PEM'))],
    ['as a PKCS#7 in PEM bytes', leaf => pkcs7(leaf, 'PEM')],
    ['as a PKCS#7 in base64, as EST has it', leaf => lines(toBase64(pkcs7(leaf, 'DER')))],
    ['as base64 of one certificate', leaf => [toBase64(derOf(leaf)), openssl.intermediate, openssl.root]],
    ['as a PKCS#7 with indefinite lengths', leaf => indefinite(pkcs7(leaf, 'DER'))],
  ])('%s is put in order and judged', async (_, wrap) => {
    const enrolment = await createIdentity(ada);
    const identity = await enrolment.complete(wrap(openssl.issue(enrolment.request)));
    const subjects = identity.chain.map(it => it.subject);
    expect(subjects).toEqual(['CN=Ada', 'CN=Enrolment CA', 'CN=Enrolment Root']);
    expect(identity.certificate).toEqual(identity.chain[0]);
    expect(identity.trust).toEqual({ trusted: true, chain: identity.chain });
  });

  it('as Certificates, with one that is not of it', async () => {
    const enrolment = await createIdentity(ada);
    const other = await createIdentity({ subject: 'CN=Bob', engine });
    const pem = openssl.issue(other.request) + openssl.issue(enrolment.request) + openssl.intermediate;
    const identity = await enrolment.complete(await parseCertificates(pem, { engine }));
    expect(identity.chain.map(it => it.subject)).toEqual(['CN=Ada', 'CN=Enrolment CA']);
    expect(identity.trust.code).toBe('ERR_TLS_CERT_UNTRUSTED');
  });

  it('without a certificate for the key is refused, and another may follow', async () => {
    const enrolment = await createIdentity({ ...ada, store });
    const other = await createIdentity({ subject: 'CN=Bob', engine });
    const wrong = openssl.issue(other.request) + openssl.intermediate;
    await expect(enrolment.complete(wrong)).rejects.toMatchObject({
      code: 'ERR_ENROLL_CERTIFICATE',
      message: expect.stringContaining('CN=Bob; CN=Enrolment CA'),
    });
    expect(await store.find()).toEqual([]);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
    expect(await enrolment.complete(openssl.issue(enrolment.request))).toMatchObject({ id: enrolment.id });
  });

  it.each([
    ['nothing', []],
    ['an empty text', ''],
    ['a page', '<html>Sign in</html>'],
    ['another kind of PEM', '-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n'],
    ['base64 of something else', 'MIAAAA=='],
    ['a sequence of nothing', Uint8Array.of(0x30, 0)],
    ['one byte', Uint8Array.of(0x30)],
    ['a PKCS#7 that is cut', () => pkcs7(openssl.root, 'DER').slice(0, 300)],
    ['a PKCS#7 of another kind', Uint8Array.from([0x30, 11, 6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 1])],
    ['a PKCS#7 block that is not base64', '-----BEGIN PKCS7-----\n%%%\n-----END PKCS7-----'],
  ])('of %s is refused', async (_, chain) => {
    const enrolment = await createIdentity(ada);
    const source = typeof chain === 'function' ? chain() : chain;
    expect(await codeOf(enrolment.complete(source))).toBe('ERR_ENROLL_CERTIFICATE');
    if (source.length > 0)
      expect(await codeOf(parseCertificates(source, { engine }))).toBe('ERR_CERT_MALFORMED');
  });

  it.each([undefined, null, 1, {}, [{}]])('of %s is a misuse', async source => {
    const enrolment = await createIdentity(ada);
    await expect(enrolment.complete(source as never)).rejects.toThrow(TypeError);
  });

  it('cut or changed at any byte gives the one code or an identity', async () => {
    const enrolment = await createIdentity(ada);
    const whole = pkcs7(openssl.issue(enrolment.request), 'DER');
    for (let at = 0; at < whole.length; at += 7) {
      const changed = whole.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      const codes = [
        await codeOf(parseCertificates(whole.slice(0, at), { engine })),
        await codeOf(parseCertificates(changed, { engine })),
      ];
      expect(codes[0]).toBe('ERR_CERT_MALFORMED');
      expect(['ERR_CERT_MALFORMED', 'no error']).toContain(codes[1]);
    }
  });
});

describe('in a store', () => {
  it('survives a reload, is completed once, and gives an identity that signs', async () => {
    const made = await createIdentity({
      ...ada,
      store,
      algorithm: 'RSA-2048',
      controls: { hosts: ['a.example'] },
    });
    await reload();
    const [pending, ...others] = await pendingEnrolments(store, { engine });
    expect(others).toEqual([]);
    expect(pending?.request).toEqual(made.request);
    expect(pending?.createdAt).toEqual(made.createdAt);
    const chain = openssl.issue(made.request);
    const identity = (await pending?.complete(chain, { label: 'Work' })) as StoredIdentity;
    expect(identity).toMatchObject({
      id: made.id,
      controls: { hosts: ['a.example'], label: 'Work' },
      label: 'Work',
    });
    expect(identity.keys).toHaveLength(6);
    await expect(pending?.complete(chain)).rejects.toMatchObject({ code: 'ERR_IDENTITY_NOT_FOUND' });
    expect(await pendingEnrolments(store)).toEqual([]);
    const [found] = await store.find();
    const [key] = await store.use(found?.id ?? '', { hostname: 'a.example', port: 443 });
    const signature = await crypto.subtle.sign(
      { name: 'RSA-PSS', saltLength: 32 },
      key as CryptoKey,
      new Uint8Array(3),
    );
    expect(signature.byteLength).toBe(256);
  });

  it('is completed by one of two tabs', async () => {
    const made = await createIdentity({ ...ada, store });
    const [other] = await pendingEnrolments(store, { engine });
    const chain = openssl.issue(made.request);
    const results = await Promise.allSettled([made.complete(chain), other?.complete(chain)]);
    expect(results.map(it => it.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(results.find(it => it.status === 'rejected')).toMatchObject({
      reason: { code: 'ERR_IDENTITY_NOT_FOUND' },
    });
    expect(await store.find()).toHaveLength(1);
  });

  it('is gone when it is cancelled', async () => {
    const made = await createIdentity({ ...ada, store });
    await made.cancel();
    expect(await pendingEnrolments(store)).toEqual([]);
    expect(await codeOf(made.complete(openssl.issue(made.request)))).toBe('ERR_IDENTITY_NOT_FOUND');
  });

  it('keeps its place when the identity cannot be written', async () => {
    const made = await createIdentity({ ...ada, store });
    const chain = openssl.issue(made.request);
    await reload();
    // The store that it was made with is closed.
    expect(await codeOf(made.complete(chain))).toBe('ERR_STORE_UNAVAILABLE');
    const [pending] = await pendingEnrolments(store, { engine });
    expect(await pending?.complete(chain)).toMatchObject({ id: made.id });
  });

  it('with user verification is wrapped from the start: no key is at rest', async () => {
    const controls: IdentityControls = { userVerification: 'required', hosts: ['a.example'] };
    const made = await createIdentity({ ...ada, store, controls });
    expect(questions).toBe(1);
    const raw = await openDB(name);
    const [record] = await raw.getAll('enrolments');
    raw.close();
    expect(record).toMatchObject({ keys: [], wrapped: { method: 'passphrase' } });
    await reload();
    const [pending] = await pendingEnrolments(store, { engine });
    const identity = await pending?.complete(openssl.issue(made.request));
    expect(identity).toMatchObject({ id: made.id, keys: [], locked: true });
    expect(questions).toBe(1);
    const [key] = await store.use(made.id, { hostname: 'a.example', port: 443 });
    expect(questions).toBe(2);
    expect(key).toMatchObject({ type: 'private', extractable: false });
  }, 30_000);

  it('does not take another kind of user verification at the end', async () => {
    const made = await createIdentity({ ...ada, store });
    const late = made.complete(openssl.issue(made.request), { userVerification: 'required' });
    await expect(late).rejects.toThrow(TypeError);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
  });

  it('an identity in memory cannot be added with user verification later: its key never left WebCrypto', async () => {
    const made = await createIdentity(ada);
    const identity = await made.complete(openssl.issue(made.request));
    const adding = store.add(identity, { userVerification: 'required' });
    expect(await codeOf(adding)).toBe('ERR_IDENTITY_NO_SEALED_COPY');
    expect(questions).toBe(0);
    expect(await store.add(identity)).toMatchObject({ locked: false });
  });
});

it('controls want a store', async () => {
  await expect(createIdentity({ ...ada, controls: { hosts: ['a.example'] } })).rejects.toThrow(TypeError);
});

it('a signal that was aborted before ends everything', async () => {
  const signal = AbortSignal.abort(new Error('no'));
  await expect(createIdentity({ ...ada, store, signal })).rejects.toThrow('no');
  const made = await createIdentity(ada);
  await expect(enroll(made, { issue: async () => '' }, { signal })).rejects.toThrow('no');
});

describe('an authority', () => {
  const issuing = { issue: async (request: Uint8Array) => openssl.issue(request) };

  it('that throws counts as out of reach, and the enrolment stays', async () => {
    const made = await createIdentity({ ...ada, store });
    const cause = new TypeError('Failed to fetch');
    const broken = { issue: () => Promise.reject(cause) };
    await expect(enroll(made, broken)).rejects.toMatchObject({ code: 'ERR_ENROLL_UNREACHABLE', cause });
    expect(await enroll(made, issuing)).toMatchObject({ id: made.id });
  });

  it('that never answers is left by the signal, at once or later', async () => {
    const made = await createIdentity(ada);
    const never = { issue: () => new Promise<string>(() => {}) };
    const later = enroll(made, never, { signal: AbortSignal.timeout(20) });
    await expect(later).rejects.toThrow('timeout');
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const failing = {
      async issue(): Promise<string> {
        controller.abort(reason);
        throw new Error('after the abort');
      },
    };
    await expect(enroll(made, failing, { signal: controller.signal })).rejects.toBe(reason);
  });

  it('without issue or renew is a misuse', async () => {
    await expect(enroll(ada, {} as never)).rejects.toThrow(TypeError);
    const identity = await enroll(ada, issuing);
    await expect(renew(identity, issuing)).rejects.toThrow(TypeError);
    await expect(
      renew(identity, { ...issuing, renew: issuing.issue as never }, { store } as never),
    ).rejects.toThrow(TypeError);
  });

  it('renews an identity in memory, for its key or a new one', async () => {
    const made = await createIdentity({ ...ada, subjectAltNames: ['ada@example.com'] });
    const identity = await enroll(made, issuing);
    const renewing = {
      ...issuing,
      renew: async (request: Uint8Array | undefined) => openssl.issue(request ?? made.request),
    };
    const renewed = await renew(identity, renewing, { engine });
    expect(renewed.keys).toBe(identity.keys);
    expect(renewed.certificate.serialNumber).not.toBe(identity.certificate.serialNumber);
    const rekeyed = await renew(identity, renewing, { engine, newKey: 'ECDSA P-384' });
    expect(rekeyed.certificate).toMatchObject({
      subject: 'CN=Ada',
      subjectAltNames: ['email:ada@example.com'],
      keyAlgorithm: 'ECDSA P-384',
    });
  });

  it('a rekey with user verification is wrapped again', async () => {
    const options = { ...ada, store, controls: { userVerification: 'required' } } as const;
    const identity = await enroll(options, issuing);
    const renewing = {
      ...issuing,
      renew: (request: Uint8Array | undefined) => issuing.issue(request ?? new Uint8Array()),
    };
    const rekeyed = await renew(identity, renewing, { store, engine, newKey: 'ECDSA P-256' });
    expect(rekeyed).toMatchObject({ keys: [], locked: true, controls: identity.controls });
    expect((await store.find()).map(it => it.id)).toEqual([rekeyed.id]);
    await expect(store.unlock(rekeyed.id)).resolves.toMatchObject({ locked: false });
  }, 30_000);
});

function derOf(pem: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(openssl.run('x509', '-in', openssl.write('one.pem', pem), '-outform', 'DER'));
}

function pkcs7(leaf: string, form: 'DER' | 'PEM'): Uint8Array<ArrayBuffer> {
  const files = [openssl.root, leaf, openssl.intermediate].flatMap((pem, i) => [
    '-certfile',
    openssl.write(`${i}.pem`, pem),
  ]);
  return Uint8Array.from(openssl.run('crl2pkcs7', '-nocrl', ...files, '-outform', form));
}

function lines(base64: string): string {
  return base64.replace(/.{64}/g, '$&\r\n');
}

/** The three outer elements with indefinite lengths (X.690, section 8.1.3.6). */
function indefinite(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const oid = Uint8Array.from([6, 9, 42, 134, 72, 134, 247, 13, 1, 7, 2]);
  const signedData = contentOf(contentOf(contentOf(der).subarray(oid.length)));
  const end = [0, 0];
  return Uint8Array.from([0x30, 0x80, ...oid, 0xa0, 0x80, 0x30, 0x80, ...signedData, ...end, ...end, ...end]);
}

function contentOf(element: Uint8Array): Uint8Array {
  const first = element[1] ?? 0;
  return element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}
