import { describe, expect, it } from 'vitest';
import { parseRelayOptions } from '../../../relay/src/options.js';
import { checkDisposition, trustOf } from '../../../src/authentication/dispositions.js';
import {
  createClient,
  createIdentity,
  createWebSocketTunnel,
  enroll,
  evaluateTrust,
  IdentityStore,
  importFrom,
  inspectPkcs12,
  openPkcs12,
  parseCertificates,
  passphraseVerification,
  renew,
  stepCa,
  webAuthnVerification,
} from '../../../src/index.js';
import { checkedControls } from '../../../src/store/controls.js';
import { compileQuery } from '../../../src/store/query.js';
import { checkedInteger, checkOptionNames } from '../../../src/util/options.js';
import { engineModule } from '../../support/engine.js';

describe('checkedInteger', () => {
  it('takes the integers of a range and the value beside it', () => {
    for (const value of [3, 4, 0]) expect(checkedInteger('a', value, { min: 3, max: 4, or: 0 })).toBe(value);
  });

  it.each([2, 5, 3.5, Number.NaN, '3', undefined, null])('refuses %s with the range', value => {
    const wrong = new TypeError('"pool.a" must be an integer from 3 to 4');
    expect(() => checkedInteger('pool.a', value, { min: 3, max: 4 })).toThrow(wrong);
  });
});

describe('checkOptionNames', () => {
  it('names the option that does not exist, and those that do', () => {
    const wrong = new TypeError(
      '"pool.idleTimeout" is not an option: did you mean "pool.idleTimeoutMs"? there are idleTimeoutMs, maxConnections',
    );
    const known = { maxConnections: true, idleTimeoutMs: true };
    expect(() => checkOptionNames({ idleTimeout: 1 }, known, 'pool.')).toThrow(wrong);
  });

  it.each([
    ['tunell', 'tunnel'],
    ['trsut', 'trust'],
    ['IDENTITIES', 'identities'],
  ])('suggests for %s the nearest option %s', (misspelt, nearest) => {
    const known = { tunnel: true, tunnelToken: true, identities: true, trust: true };
    expect(() => checkOptionNames({ [misspelt]: 1 }, known)).toThrow(`did you mean "${nearest}"? there are`);
  });

  it('suggests nothing where no option is near', () => {
    expect(() => checkOptionNames({ certificate: 1 }, { tunnel: true })).toThrow(': there are tunnel');
  });

  it('ignores what Object.prototype has', () => {
    expect(() => checkOptionNames({ toString: 1 }, {})).toThrow(TypeError);
    expect(() => checkOptionNames(Object.create({ inherited: 1 }), {})).not.toThrow();
  });
});

describe('a misspelt option is a TypeError that names it', () => {
  const misspelt = { optoin: 1 } as object;
  const tunnel = { connect: () => Promise.reject() };
  const relay = 'wss://relay.example.com';
  const file = new Uint8Array([0x30, 0]);
  const authority = { issue: () => '', renew: () => '' };
  const calls: [string, () => unknown][] = [
    ['optoin', () => createClient({ tunnel, ...misspelt })],
    ['pool.optoin', () => createClient({ tunnel, pool: misspelt })],
    ['cookies.optoin', () => createClient({ tunnel, cookies: misspelt })],
    ['trust.optoin', () => createClient({ tunnel, trust: misspelt })],
    ['tunnelOptions.optoin', () => createClient({ tunnel: relay, tunnelOptions: misspelt })],
    ['webSocket.optoin', () => createClient({ tunnel, webSocket: misspelt, engine: engineModule() })],
    ['optoin', () => createWebSocketTunnel(relay, misspelt)],
    ['optoin', () => evaluateTrust('', misspelt)],
    ['optoin', () => openPkcs12(file, misspelt)],
    ['limits.optoin', () => openPkcs12(file, { limits: misspelt })],
    ['optoin', () => importFrom('https://example.com/', misspelt)],
    ['optoin', () => parseCertificates('', misspelt)],
    ['query.optoin', () => compileQuery(misspelt)],
    ['controls.optoin', () => checkedControls(misspelt)],
    ['answer.optoin', () => checkDisposition({ disposition: 'default', ...misspelt })],
    ['answer.credential.optoin', () => trustOf({ trust: true, ...misspelt })],
    ['jwt.optoin', () => parseRelayOptions({ jwt: misspelt } as never)],
    ['optoin', () => parseRelayOptions(misspelt as never)],
    ['optoin', () => inspectPkcs12(file, misspelt)],
    ['optoin', () => IdentityStore.open(misspelt)],
    ['optoin', () => webAuthnVerification(misspelt)],
    ['optoin', () => passphraseVerification({ ask: () => '', ...misspelt })],
    ['optoin', () => createIdentity({ subject: 'CN=Ada', ...misspelt })],
    ['optoin', () => enroll({ subject: 'CN=Ada' }, authority, misspelt)],
    ['optoin', () => renew({} as never, authority, misspelt)],
    ['optoin', () => stepCa({ url: 'https://ca.example.com', ...misspelt })],
  ];

  it.each(calls)('%s', async (name, call) => {
    const called = async () => call();
    await expect(called()).rejects.toThrow(TypeError);
    await expect(called()).rejects.toThrow(`"${name}" is not an option: there are `);
  });
});
