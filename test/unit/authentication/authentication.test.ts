import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Authentication } from '../../../src/authentication/authentication.js';
import { CertificateReader } from '../../../src/identity/certificates/certificate-reader.js';
import { type KeyAccess, setKeyAccess } from '../../../src/identity/key-access.js';
import type { Identity, StoredIdentity } from '../../../src/identity/types.js';
import { identityOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { OpensslPki } from '../../support/openssl-pki.js';

const target = { hostname: 'localhost', port: 443 };
const request = { version: 'TLSv1.3' as const, acceptableIssuers: [], schemes: [0x0403] };
const waiting = new AbortController().signal;

let pki: OpensslPki;
let identity: Identity;
let ada: StoredIdentity;
let authentication: Authentication;
let locked: boolean;
let listeners: number;

beforeAll(async () => {
  pki = new OpensslPki();
  identity = await identityOf(pki.issue({ subject: '/CN=Ada' }));
});
afterAll(() => pki.close());

beforeEach(async () => {
  const reader = await CertificateReader.create(engineModule());
  ada = { ...identity, id: 'ada', controls: { hosts: ['localhost'] }, createdAt: new Date(), locked: false };
  const source = { find: async () => [ada] };
  authentication = new Authentication({ identities: source, challengesOf: undefined, reader });
  locked = false;
  listeners = 0;
  const access: KeyAccess = {
    use: async () => identity.keys,
    ready: () => !locked,
    markUsed: async () => {},
    current: async () => ada,
    revision: () => 0,
    onEnd: () => {
      listeners++;
      return () => listeners--;
    },
  };
  setKeyAccess(ada, access);
});

describe('an identity', () => {
  it('is not watched any more when the client has been closed, also when its use is confirmed after that', () => {
    authentication.usage.enter(ada, target);
    expect(listeners).toBe(1);
    authentication.usage.close();
    expect(listeners).toBe(0);
    authentication.usage.enter(ada, target);
    expect(listeners).toBe(0);
    expect(authentication.usage.holds(ada.id)).toBe(false);
  });
});

describe('a connection by a resumed session', () => {
  /** What a second connection may resume, when the first has shown the identity. */
  async function resumable() {
    const first = await authentication.prepare(target);
    first.begin();
    await first.authenticate(request, waiting);
    const connection = await authentication.prepare(target);
    return { connection, sessions: connection.begin() };
  }

  it('is used as long as the identity of the session may be', async () => {
    const { connection, sessions } = await resumable();
    const admission = connection.admission(connection.basis({ sessions, resumed: true }));
    expect(admission.holds()).toBe(true);
    locked = true;
    expect(admission.holds()).toBe(false);
  });

  it('is not used when the identity was locked during its handshake, and another connection has begun since', async () => {
    const { connection, sessions } = await resumable();
    locked = true;
    const other = await authentication.prepare(target);
    expect(other.begin().partition).not.toBe(sessions.partition);
    const basis = connection.basis({ sessions, resumed: true });
    expect(connection.admission(basis).holds()).toBe(false);
  });
});
