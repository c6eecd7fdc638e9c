import 'fake-indexeddb/auto';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Relay } from '../../relay/src/index.js';
import {
  createClient,
  createIdentity,
  enroll,
  type Identity,
  type IdentityControls,
  IdentityStore,
  type MtlsClient,
  pendingEnrolments,
  renew,
  type StepCaOptions,
  type StoredIdentity,
  stepCa,
} from '../../src/index.js';
import { passphraseVerification } from '../../src/store/verification/passphrase-verification.js';
import { codeOf, startRelay } from '../support/client.js';
import { documented } from '../support/documented.js';
import { engineModule } from '../support/engine.js';
import { freePort } from '../support/process.js';
import { type RunningStepCa, startStepCa } from '../support/step-ca.js';

const NAME = 'ada@example.com';
const engine = engineModule();
let ca: RunningStepCa;
let relay: Relay;
let client: MtlsClient;
let store: IdentityStore;

beforeAll(async () => {
  relay = await startRelay();
  ca = await startStepCa();
  client = await createClient({ tunnel: relay.url, trust: { anchors: [ca.root] }, engine });
}, 600_000);

afterAll(async () => {
  store?.close();
  await client?.close();
  await relay?.close();
  await ca?.stop();
});

beforeEach(async () => {
  store?.close();
  store = await IdentityStore.open({ name: crypto.randomUUID() });
});

const authority = (options: Partial<StepCaOptions> = {}) =>
  stepCa({ url: ca.url, fetch: client.fetch, token: ca.token(NAME), ...options });
const options = { subject: `CN=${NAME}`, subjectAltNames: [NAME], engine };

/** A client that shows this identity. */
async function clientOf(identity: Identity): Promise<MtlsClient> {
  return createClient({ tunnel: relay.url, identities: [identity], trust: { anchors: [ca.root] }, engine });
}

async function withClientOf<T>(identity: Identity, use: (client: MtlsClient) => Promise<T>): Promise<T> {
  const own = await clientOf(identity);
  try {
    return await use(own);
  } finally {
    await own.close();
  }
}

describe('enrolment', () => {
  it.each(['ECDSA P-256', 'ECDSA P-384', 'ECDSA P-521', 'RSA-2048', 'Ed25519'] as const)(
    'with %s gives an identity that the authority then knows by mutual TLS',
    async algorithm => {
      const identity = await enroll(
        { ...options, algorithm },
        authority({ rootFingerprint: ca.rootFingerprint.toUpperCase() }),
      );
      expect(identity.certificate).toMatchObject({
        subjectAltNames: [`email:${NAME}`],
        keyAlgorithm: algorithm,
      });
      expect(identity.chain.map(it => it.subject)).toEqual([
        `CN=${NAME}`,
        'CN=Test CA,O=Test',
        'CN=Test Root,O=Test',
      ]);
      expect(identity.trust.trusted).toBe(true);
      const renewed = await withClientOf(identity, own =>
        renew(identity, authority({ fetch: own.fetch }), { engine }),
      );
      expect(renewed.certificate.serialNumber).not.toBe(identity.certificate.serialNumber);
    },
  );

  it('without the root gives a chain that is said to be incomplete', async () => {
    const { chain, trust } = await enroll(options, authority());
    expect(chain).toHaveLength(2);
    expect(trust).toMatchObject({ trusted: false, code: 'ERR_TLS_CERT_UNTRUSTED' });
  });

  it('pending in a store is completed after a reload', async () => {
    const { name } = { name: crypto.randomUUID() };
    const first = await IdentityStore.open({ name });
    const made = await createIdentity({
      ...options,
      store: first,
      controls: { label: 'Ada', hosts: ['localhost'] },
    });
    first.close();
    const second = await IdentityStore.open({ name });
    const [pending] = await pendingEnrolments(second, { engine });
    expect(pending).toMatchObject({ id: made.id, subject: options.subject, requestPem: made.requestPem });
    const identity = await enroll(pending as typeof made, authority());
    expect(identity).toMatchObject({
      id: made.id,
      label: 'Ada',
      locked: false,
      controls: { hosts: ['localhost'] },
    });
    expect(await pendingEnrolments(second)).toEqual([]);
    expect(await second.find()).toHaveLength(1);
    second.close();
  });

  it('asks for a token when it needs one', async () => {
    const asked: string[] = [];
    const getToken = ({ pem }: { pem: string }) => {
      asked.push(pem);
      return ca.token(NAME);
    };
    const enrolment = await createIdentity(options);
    await enroll(enrolment, stepCa({ url: ca.url, fetch: client.fetch, getToken }));
    expect(asked).toEqual([enrolment.requestPem]);
    const cause = new Error('signed out');
    const broken = stepCa({ url: ca.url, fetch: client.fetch, getToken: () => Promise.reject(cause) });
    await expect(enroll(options, broken)).rejects.toMatchObject({ code: 'ERR_ENROLL_UNREACHABLE', cause });
    await expect(enroll(options, stepCa({ url: ca.url, fetch: client.fetch }))).rejects.toThrow(TypeError);
  });

  it('takes the end of validity that is asked for', async () => {
    const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 15 * 60_000);
    const { certificate } = await enroll(options, authority({ notAfter }));
    expect(certificate.notAfter).toEqual(notAfter);
  });
});

describe('refusals leave the enrolment pending', () => {
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const usedToken = async () => {
    const token = ca.token(NAME);
    await enroll(options, authority({ token }));
    return token;
  };

  it.each<[string, () => string | Promise<string>, number]>([
    ['signed by another key', () => ca.token(NAME, { key: stranger }), 401],
    ['that has expired', () => ca.token(NAME, { expiresInSeconds: -120 }), 401],
    ['that is none', () => 'not-a-token', 401],
    ['for another name', () => ca.token('bob@example.com'), 403],
    ['for other alternative names', () => ca.token(NAME, { names: ['bob@example.com'] }), 403],
    ['that has been used', usedToken, 401],
  ])('a token %s', async (_, makeToken, status) => {
    const token = await makeToken();
    const enrolment = await createIdentity({ ...options, store });
    const failure = await enroll(enrolment, authority({ token })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'ERR_ENROLL_REJECTED', cause: { status } });
    const { message } = failure as Error;
    expect(message).toMatch(new RegExp(`^step-ca answered ${status}: \\S`));
    expect(JSON.stringify([message, (failure as Error).cause])).not.toContain(token);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
    expect(await store.find()).toEqual([]);
    // The same request, with a good token.
    expect(await enroll(enrolment, authority())).toMatchObject({ id: enrolment.id });
  });

  it('an enrolment that was made by the call is cancelled', async () => {
    expect(await codeOf(enroll({ ...options, store }, authority({ token: 'wrong' })))).toBe(
      'ERR_ENROLL_REJECTED',
    );
    expect(await pendingEnrolments(store)).toEqual([]);
  });

  it('a root with another fingerprint', async () => {
    const other = authority({ rootFingerprint: 'ab'.repeat(32) });
    expect(await codeOf(other.root())).toBe('ERR_ENROLL_REJECTED');
    // No token is spent for it.
    const token = ca.token(NAME);
    const failing = enroll(options, authority({ token, rootFingerprint: 'ab'.repeat(32) }));
    expect(await codeOf(failing)).toBe('ERR_ENROLL_REJECTED');
    await enroll(options, authority({ token }));
  });

  it('an abort', async () => {
    const controller = new AbortController();
    const reason = new Error('changed my mind');
    const fetch: typeof globalThis.fetch = (input, init) => {
      setTimeout(() => controller.abort(reason), 0);
      return client.fetch(input, init);
    };
    const enrolment = await createIdentity({ ...options, store });
    const { signal } = controller;
    await expect(enroll(enrolment, authority({ fetch }), { signal })).rejects.toBe(reason);
    expect(await pendingEnrolments(store, { engine })).toHaveLength(1);
  });

  it('an authority that is down', async () => {
    const url = `https://localhost:${await freePort()}`;
    const failure = await enroll(options, authority({ url })).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'ERR_ENROLL_UNREACHABLE',
      cause: { code: 'ERR_TUNNEL_UNREACHABLE' },
    });
  });

  it('an authority whose root is not trusted', async () => {
    const stranger = await createClient({ tunnel: relay.url, engine });
    const failure = await enroll(options, authority({ fetch: stranger.fetch })).catch(
      (error: unknown) => error,
    );
    await stranger.close();
    expect(failure).toMatchObject({
      code: 'ERR_ENROLL_UNREACHABLE',
      cause: { code: 'ERR_TLS_CERT_UNTRUSTED' },
    });
  });
});

it('gets the root by its fingerprint before anything is trusted', async () => {
  const unknowing = await createClient({
    tunnel: relay.url,
    engine,
    onChallenge: async ({ method }) =>
      method === 'server-trust'
        ? { disposition: 'use-credential', credential: { trust: true } }
        : { disposition: 'default' },
  });
  const { rootFingerprint } = ca;
  const root = await stepCa({ url: ca.url, fetch: unknowing.fetch, rootFingerprint }).root();
  await unknowing.close();
  const trusting = await createClient({ tunnel: relay.url, trust: { anchors: [root] }, engine });
  expect((await trusting.fetch(`${ca.url}/health`)).status).toBe(200);
  await trusting.close();
});

interface Setting extends Record<'relay' | 'authority' | 'rootPem' | 'rootFingerprint', string> {
  getToken(): Promise<string>;
}

interface Example {
  enrolHere(setting: Setting): Promise<StoredIdentity>;
  renewWhenDue(setting: Setting, now?: number): Promise<void>;
}

it('does what the documentation shows', async () => {
  const { enrolHere, renewWhenDue } = await documented<Example>('docs/enrolment.md', 'enrolHere');
  const setting = {
    relay: relay.url,
    authority: ca.url,
    rootPem: ca.root,
    rootFingerprint: ca.rootFingerprint,
    getToken: async () => ca.token(NAME),
  };
  const { id, certificate } = await enrolHere(setting);
  const serialNumber = async () => {
    const page = await IdentityStore.open();
    const [found] = await page.find({ id });
    page.close();
    return found?.certificate.serialNumber;
  };
  await renewWhenDue(setting);
  expect(await serialNumber()).toBe(certificate.serialNumber);
  await renewWhenDue(setting, certificate.notAfter.getTime() - 1000);
  expect(await serialNumber()).not.toBe(certificate.serialNumber);
});

describe('renewal', () => {
  let identity: StoredIdentity;
  beforeEach(async () => {
    identity = await enroll(
      { ...options, store, controls: { label: 'Ada', hosts: ['localhost'] } },
      authority(),
    );
  });

  it('keeps the key and the id', async () => {
    const changes: unknown[] = [];
    store.observe(change => changes.push(change));
    const renewed = await withClientOf(identity, own =>
      renew(identity, authority({ fetch: own.fetch }), { store, engine }),
    );
    expect(renewed).toMatchObject({ id: identity.id, label: 'Ada', controls: identity.controls });
    expect(renewed.certificate.spkiPin).toBe(identity.certificate.spkiPin);
    expect(renewed.certificate.serialNumber).not.toBe(identity.certificate.serialNumber);
    const [found, ...others] = await store.find();
    expect(others).toEqual([]);
    expect(found?.certificate.fingerprint).toBe(renewed.certificate.fingerprint);
    expect(changes).toContainEqual({ type: 'updated', id: identity.id });
    await expectUsable(renewed);
  });

  it('with a new key takes the place of the identity', async () => {
    const renewed = await withClientOf(identity, own =>
      renew(identity, authority({ fetch: own.fetch }), { store, engine, newKey: 'ECDSA P-384' }),
    );
    expect(renewed).toMatchObject({ label: 'Ada', controls: identity.controls });
    expect(renewed.certificate).toMatchObject({
      keyAlgorithm: 'ECDSA P-384',
      subject: identity.certificate.subject,
      subjectAltNames: identity.certificate.subjectAltNames,
    });
    expect((await store.find()).map(it => it.id)).toEqual([renewed.id]);
    expect(await pendingEnrolments(store)).toEqual([]);
    await expectUsable(renewed);
  });

  it('through a client of the store itself', async () => {
    const own = await createClient({
      tunnel: relay.url,
      identities: store,
      trust: { anchors: [ca.root] },
      engine,
    });
    const renewed = await renew(identity, authority({ fetch: own.fetch }), { store, engine });
    await own.close();
    expect(renewed.id).toBe(identity.id);
  });

  it.each([undefined, 'ECDSA P-256'] as const)('that fails changes nothing (new key: %s)', async newKey => {
    // Nobody's certificate is shown on this connection.
    const failure = renew(identity, authority(), { store, engine, ...(newKey && { newKey }) });
    await expect(failure).rejects.toMatchObject({
      code: 'ERR_ENROLL_REJECTED',
      cause: { status: 400, message: expect.stringContaining('certificate') },
    });
    const [found] = await store.find();
    expect(found?.certificate.fingerprint).toBe(identity.certificate.fingerprint);
    expect(await pendingEnrolments(store)).toEqual([]);
  });

  it('of an identity that another one has shown for is refused', async () => {
    const other = await enroll(options, authority());
    const answer = withClientOf(other, own =>
      renew(identity, authority({ fetch: own.fetch }), { store, engine }),
    );
    expect(await codeOf(answer)).toBe('ERR_ENROLL_CERTIFICATE');
  });

  it('of an identity that was deleted meanwhile is not found', async () => {
    const own = await clientOf(identity);
    const authorityThen = authority({
      fetch: async (input, init) => {
        const response = await own.fetch(input, init);
        await store.delete({ id: identity.id });
        return response;
      },
    });
    expect(await codeOf(renew(identity, authorityThen, { store, engine }))).toBe('ERR_IDENTITY_NOT_FOUND');
    await own.close();
    expect(await store.find()).toEqual([]);
  });

  it('with user verification asks the person, and keeps the key wrapped', async () => {
    let questions = 0;
    const ask = () => {
      questions++;
      return 'correct horse';
    };
    const verified = await IdentityStore.open({
      name: crypto.randomUUID(),
      verification: passphraseVerification({ ask }),
    });
    const controls: IdentityControls = { userVerification: 'required', hosts: ['localhost'] };
    const wrapped = await enroll({ ...options, store: verified, controls }, authority());
    expect(questions).toBe(1);
    const renewed = await withClientOf(wrapped, own =>
      renew(wrapped, authority({ fetch: own.fetch }), { store: verified, engine }),
    );
    expect(questions).toBe(2);
    expect(renewed).toMatchObject({ id: wrapped.id, keys: [] });
    expect(renewed.certificate.serialNumber).not.toBe(wrapped.certificate.serialNumber);
    const rekeyed = await withClientOf(renewed, own =>
      renew(renewed, authority({ fetch: own.fetch }), { store: verified, engine, newKey: 'ECDSA P-256' }),
    );
    expect(rekeyed).toMatchObject({ keys: [], locked: true });
    expect((await verified.find()).map(it => it.id)).toEqual([rekeyed.id]);
    verified.close();
  });

  /** By another renewal, which the authority grants only to the certificate's holder. */
  async function expectUsable(renewed: StoredIdentity): Promise<void> {
    const again = await withClientOf(renewed, own =>
      renew(renewed, authority({ fetch: own.fetch }), { store, engine }),
    );
    expect(again.certificate.spkiPin).toBe(renewed.certificate.spkiPin);
  }
});
