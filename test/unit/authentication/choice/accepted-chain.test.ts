import { IDBFactory } from 'fake-indexeddb';
import 'fake-indexeddb/auto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Identity, IdentityStore, openPkcs12 } from '../../../../src/index.js';
import { CLIENT, client, crossSigned, EXPIRED, root } from '../../../support/cross-signed.js';
import { engineModule } from '../../../support/engine.js';
import {
  AUTHORITY,
  authorityKeyId,
  commonName,
  dnsNames,
  type Forged,
  forge,
  keyIdOf,
  makeKey,
  StringTag,
  subjectKeyId,
} from '../../../support/forged-certificates.js';
import { writePkcs12 } from '../../../support/pkcs12.js';
import { Clients } from '../../client/support/clients.js';
import { type HttpsServer, startHttps } from '../../client/support/https-server.js';

const clients = new Clients();
const servers: HttpsServer[] = [];
let store: IdentityStore;

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  store = await IdentityStore.open();
});
afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
  store.close();
});

const serverRoot = root('Server root');
const own = forge({
  subject: commonName('localhost'),
  by: serverRoot,
  extensions: [dnsNames(['localhost'])],
});

/** Answers with the subjects of the certificates that it got; its OpenSSL refuses a client that it cannot verify. */
async function start(accepted: Forged[], maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  const settings = {
    ...{ cert: own.cert, key: own.key, ca: accepted.map(it => it.cert), maxVersion },
    ...{ requestCert: true, rejectUnauthorized: true },
  };
  const server = await startHttps(settings, ({ socket }, response) => {
    const shown: string[] = [];
    let peer: DetailedPeerCertificate | undefined = (socket as TLSSocket).getPeerCertificate(true);
    while (peer && !shown.includes(peer.fingerprint256)) {
      shown.push(peer.fingerprint256);
      peer = peer.issuerCertificate;
    }
    response.end(JSON.stringify(shown.map(it => it.replaceAll(':', '').toLowerCase())));
  });
  servers.push(server);
  return server.url;
}

async function opened(own: Forged, others: Forged[]): Promise<Identity> {
  const file = writePkcs12(own, { password: 'secret', chain: others.map(it => it.cert).join('') });
  const { identities } = await openPkcs12(file, { password: 'secret', engine: engineModule() });
  return identities[0] as Identity;
}

/** What the server made of the client: a path of its certificates, by their place in a list. */
async function pathSeen(
  url: string,
  identities: IdentityStore | Identity[],
  all: Forged[],
): Promise<number[]> {
  const client = await clients.make(serverRoot.cert, { identities });
  const fingerprints = await Promise.all(
    all.map(async ({ der }) => Buffer.from(await crypto.subtle.digest('SHA-256', der)).toString('hex')),
  );
  const seen: string[] = JSON.parse(await (await client.fetch(url)).text());
  return seen.map(it => fingerprints.indexOf(it));
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', tls => {
  const [a, b] = [root('Root A'), root('Root B')];

  it('a server of either root is shown the chain to it', async () => {
    const { client, authorities } = crossSigned([a, b]);
    const identity = await opened(client, [...authorities, a, b]);
    const all = [client, ...authorities, a, b];
    expect(await pathSeen(await start([a], tls), [identity], all)).toEqual([0, 1, 3]);
    expect(await pathSeen(await start([b], tls), [identity], all)).toEqual([0, 2, 4]);
  });

  it('so is one that is met later, from the store', async () => {
    const { client, authorities } = crossSigned([a, b]);
    await store.add(await opened(client, authorities), { hosts: ['localhost'] });
    const all = [client, ...authorities, a, b];
    store.close();
    store = await IdentityStore.open();
    expect(await pathSeen(await start([b], tls), store, all)).toEqual([0, 2, 4]);
    expect(await pathSeen(await start([a], tls), store, all)).toEqual([0, 1, 3]);
    expect(await store.find({ issuer: b.subject })).toHaveLength(1);
    expect(await store.find({ issuer: commonName('root  b', StringTag.bmp) })).toHaveLength(1);
    expect(await store.find({ issuer: commonName('Root C') })).toHaveLength(0);
  });

  it('one client shows each server on the same host its chain', async () => {
    const { client: leaf, authorities } = crossSigned([a, b]);
    const identity = await opened(leaf, authorities);
    const client = await clients.make(serverRoot.cert, { identities: [identity] });
    for (const accepted of [a, b, a]) {
      const response = await client.fetch(await start([accepted], tls));
      expect(await response.json()).toHaveLength(3);
    }
  });

  it('a certificate that has expired is not shown in the place of a valid one', async () => {
    const key = makeKey();
    const inter = { subject: commonName('Inter'), by: a, key, extensions: AUTHORITY };
    const valid = forge({ ...inter, serial: Uint8Array.of(2) });
    const expired = forge({ ...inter, validity: EXPIRED });
    const leaf = client(valid);
    const identity = await opened(leaf, [expired, valid, a]);
    // As it is when the better one was not yet there at the import.
    const swapped = { ...identity, chain: identity.otherChains?.[0] ?? [], otherChains: [identity.chain] };
    const all = [leaf, expired, valid, a];
    expect(await pathSeen(await start([a], tls), [swapped], all)).toEqual([0, 2, 3]);
  });

  it('names of other string types, case and spaces are those of the server’s authority', async () => {
    const top = forge({ subject: commonName('Field Root', StringTag.printable), extensions: AUTHORITY });
    const middle = forge({
      subject: commonName('Field Sub', StringTag.printable),
      issuer: commonName('field  ROOT', StringTag.utf8),
      by: top,
      extensions: AUTHORITY,
    });
    const leaf = forge({
      subject: commonName('Ada'),
      issuer: commonName('FIELD SUB'),
      by: middle,
      extensions: CLIENT,
    });
    const identity = await opened(leaf, [middle]);
    expect(await pathSeen(await start([top], tls), [identity], [leaf, middle, top])).toEqual([0, 1, 2]);
  });

  it('what leads from a new key of a root to its old one is shown', async () => {
    const [oldKey, newKey] = [makeKey(), makeKey()];
    // OpenSSL takes it for self-signed where it does not name another key as its issuer's.
    const ids = [oldKey, newKey].map(key => keyIdOf(forge({ subject: commonName('Root'), key })));
    const [oldId, newId] = ids as [Uint8Array, Uint8Array];
    const old = forge({
      subject: commonName('Root'),
      key: oldKey,
      extensions: [...AUTHORITY, subjectKeyId(oldId)],
    });
    const bridge = forge({
      subject: commonName('Root'),
      by: old,
      key: newKey,
      serial: Uint8Array.of(2),
      extensions: [...AUTHORITY, subjectKeyId(newId), authorityKeyId(oldId)],
    });
    const leaf = forge({
      subject: commonName('Ada'),
      by: bridge,
      extensions: [...CLIENT, authorityKeyId(newId)],
    });
    for (const others of [[bridge], [bridge, old]]) {
      const identity = await opened(leaf, others);
      expect(identity.chain).toHaveLength(1 + others.length);
      expect(await pathSeen(await start([old], tls), [identity], [leaf, bridge, old])).toEqual([0, 1, 2]);
    }
  });
});

it('a handler is told that the identity does not fit where no chain does', async () => {
  const { client: leaf, authorities } = crossSigned([root('Root A'), root('Root B')]);
  const identity = await opened(leaf, authorities);
  const codes: string[] = [];
  const client = await clients.make(serverRoot.cert, {
    identities: [identity],
    onChallenge: challenge => {
      if (challenge.method === 'client-certificate') codes.push(...challenge.others.map(it => it.code));
      return { disposition: 'default' };
    },
  });
  await expect(client.fetch(await start([root('Root C')], 'TLSv1.3'))).rejects.toMatchObject({
    code: 'ERR_TLS_CLIENT_CERT_REQUIRED',
  });
  expect(codes).toEqual(['ERR_IDENTITY_NOT_ACCEPTED']);
});
