import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  checkDisposition,
  identityOf,
  persistenceOf,
  trustOf,
} from '../../../src/authentication/dispositions.js';
import {
  type ClientOptions,
  createClient,
  createIdentity,
  type Disposition,
  type IdentityCredential,
  openPkcs12,
} from '../../../src/index.js';
import { compileQuery } from '../../../src/store/query.js';
import { engineModule } from '../../support/engine.js';

const engine = engineModule();
const base: ClientOptions = {
  tunnel: 'ws://127.0.0.1:1/',
  tunnelOptions: { connectAt: 'first-use', WebSocket: WebSocket as never },
  engine,
};
const clientOption = (name: string) => (value: object) =>
  createClient({ ...base, [name]: { ...base[name as 'tunnelOptions'], ...value } });

/** By the path of the nested options: the call that takes them. */
const calls: Record<string, (value: object) => unknown> = {
  tunnelOptions: clientOption('tunnelOptions'),
  trust: value => createClient({ ...base, trust: { anchors: 'mozilla', ...value } }),
  diagnostics: clientOption('diagnostics'),
  pool: clientOption('pool'),
  cookies: clientOption('cookies'),
  webSocket: clientOption('webSocket'),
  limits: limits => openPkcs12(new Uint8Array(), { limits }),
  controls: controls => createIdentity({ subject: 'CN=Ada', engine, controls }),
  query: value => compileQuery(value),
  'answer.credential': value => {
    const credential = value as IdentityCredential;
    if ('identity' in value || 'intermediates' in value) identityOf(credential);
    if ('persistence' in value) persistenceOf(credential);
    trustOf(credential);
  },
};

async function misuse(path: string, value: object): Promise<string> {
  try {
    await calls[path]?.(value);
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
  return 'accepted';
}

/** The options that exist, as the message about one that does not lists them. */
async function namesIn(path: string): Promise<string[]> {
  const message = await misuse(path, path === 'answer.credential' ? { trust: true, zzz: 1 } : { zzz: 1 });
  expect(message).toMatch(`"${path}.zzz" is not an option: there are `);
  return message.replace(/.* there are /, '').split(', ');
}

it.each(Object.keys(calls))('a wrong value in "%s" is told by the whole path of its option', async path => {
  const names = await namesIn(path);
  expect(names).not.toEqual([]);
  const told = await Promise.all(names.map(async name => [name, await misuse(path, { [name]: -1 })]));
  const wrong = told.filter(([name, message]) => !message?.startsWith(`"${path}.${name}" must `));
  expect(wrong).toEqual([]);
});

it.each<[string, Partial<ClientOptions>]>([
  ['tunnel', { tunnel: 'https://relay.example/' }],
  ['tunnelToken', { tunnelToken: 'a'.repeat(4_097) }],
  ['tunnelToken', { tunnelToken: 5 as unknown as string }],
  ['tunnelOptions', { tunnelOptions: 5 as never, tunnelToken: 'a' }],
  [
    'tunnelOptions.maxWindowBytes',
    { tunnelOptions: { ...base.tunnelOptions, windowBytes: 131_072, maxWindowBytes: 65_536 } },
  ],
  ['trust.pins', { trust: { pins: { '*': ['a'] } } }],
  ['trust.pins', { trust: { pins: { 'example.com': ['a'] } } }],
  ['trust.pins', { trust: { pins: { 'example.com': [] } } }],
  ['engine', { engine: 5 as never }],
  ['decoders', { decoders: {} as never }],
  ['trust.crls', { trust: { crls: [5 as unknown as string] } }],
])('"%s" of createClient is told by its path', async (path, options) => {
  await expect(createClient({ ...base, ...options })).rejects.toThrow(`"${path}" must `);
});

it('what is given twice is told by the name that it has where it stands', async () => {
  await expect(openPkcs12(new Uint8Array(), { maxIterations: 0 })).rejects.toThrow(/^"maxIterations" must /);
  const hosts = createIdentity({ subject: 'CN=Ada', engine, controls: { hosts: ['*'] } });
  await expect(hosts).rejects.toThrow('"controls.hosts" must have patterns');
  const answer = { disposition: 'perhaps' } as unknown as Disposition;
  expect(() => checkDisposition(answer)).toThrow('"answer.disposition"');
});
