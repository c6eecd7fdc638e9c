import { beforeEach, describe, expect, it } from 'vitest';
import { Authentication } from '../../../src/client/authentication.js';
import { Instance } from '../../../src/engine/instance.js';
import { type KeyAccess, setKeyAccess } from '../../../src/identity/key-access.js';
import type { StoredIdentity } from '../../../src/identity/types.js';
import { engineModule } from '../../support/engine.js';

const target = { hostname: 'localhost', port: 443 };
const ada = { id: 'ada', certificate: {}, controls: {} } as StoredIdentity;

let authentication: Authentication;
let locked: boolean;
let listeners: number;

beforeEach(async () => {
  const reader = await Instance.create(engineModule());
  authentication = new Authentication({ identities: [], handler: undefined, reader });
  locked = false;
  listeners = 0;
  const access: KeyAccess = {
    use: async () => [],
    ready: () => !locked,
    markUsed: async () => {},
    onChange: () => {
      listeners++;
      return () => listeners--;
    },
  };
  setKeyAccess(ada, access);
  authentication.standing.enter(ada, target);
});

describe('an identity', () => {
  it('is not watched any more when the client has been closed, also when its use is confirmed after that', () => {
    expect(listeners).toBe(1);
    authentication.standing.close();
    expect(listeners).toBe(0);
    authentication.standing.enter(ada, target);
    expect(listeners).toBe(0);
    expect(authentication.standing.admits(ada.id, target)).toBe(false);
  });
});

describe('a connection by a resumed session', () => {
  it('is used as long as the identity of the session may be', async () => {
    const connection = await authentication.prepare(target);
    const { partition } = connection;
    authentication.setSessionOwner(partition, ada.id);
    const admits = connection.admission({ partition, resumed: true });
    expect(admits()).toBe(true);
    locked = true;
    expect(admits()).toBe(false);
  });

  it('is not used when the identity was locked during its handshake, and another connection has begun since', async () => {
    const connection = await authentication.prepare(target);
    const { partition } = connection;
    authentication.setSessionOwner(partition, ada.id);
    locked = true;
    const other = await authentication.prepare(target);
    expect(other.partition).not.toBe(partition);
    expect(connection.admission({ partition, resumed: true })()).toBe(false);
  });
});
