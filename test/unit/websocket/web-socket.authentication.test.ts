import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Challenge, Disposition, Identity, TrustOptions } from '../../../src/index.js';
import { identityOf } from '../../support/client.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { endOf, messages, opened, Stage } from './support/servers.js';

const stage = new Stage();
let bob: Identity;

beforeAll(async () => {
  bob = await identityOf(stage.pki.issue({ subject: '/CN=Bob', kind: 'rsa' }));
});
afterEach(() => stage.reset());
afterAll(() => stage.close());

/** A server that tells each client who it is, and counts them. */
async function telling() {
  const { server, url } = await stage.serveWs();
  let clients = 0;
  server.on('connection', (socket, request: IncomingMessage) => {
    clients++;
    socket.send(`${(request.socket as TLSSocket).getPeerCertificate().subject.CN}`);
  });
  return { url, clients: () => clients };
}

async function firstMessage(socket: WebSocket): Promise<unknown> {
  const [message] = await messages(socket, 1);
  return message;
}

const keyPin = (certificate: string) => {
  const { publicKey } = new X509Certificate(certificate);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
};
const OTHER_KEY = `sha256/${Buffer.alloc(32, 7).toString('base64')}`;

describe('pins of a WebSocket', () => {
  const anchors = [stage.pki.ca.cert];
  const own = keyPin(stage.serverPair.cert);
  const authority = keyPin(stage.pki.ca.cert);

  it.each<[name: string, trust: TrustOptions]>([
    ["the server's key", { anchors, pins: { localhost: [own] } }],
    ["the authority's key", { anchors, pins: { localhost: [authority] } }],
    ['a backup', { anchors, pins: { localhost: [OTHER_KEY, own] } }],
    ['another host', { anchors, pins: { 'example.com': [OTHER_KEY] } }],
    ['a key in place of anchors', { pins: { localhost: { sha256: [own], replacesAnchors: true } } }],
  ])('let the server in: %s', async (_, trust) => {
    const { url } = await telling();
    const client = await stage.client({ trust });
    expect(await firstMessage(new client.WebSocket(url))).toBe('Ada');
  });

  it.each<[name: string, trust: TrustOptions]>([
    ['another key', { anchors, pins: { localhost: [OTHER_KEY] } }],
    [
      'another key in place of anchors',
      { pins: { localhost: { sha256: [OTHER_KEY], replacesAnchors: true } } },
    ],
  ])('refuse the server: %s', async (_, trust) => {
    const { url, clients } = await telling();
    const client = await stage.client({ trust });
    const end = await endOf(new client.WebSocket(url));
    expect(end).toMatchObject({ code: 1006, reason: '', wasClean: false, error: 'ERR_TLS_PIN' });
    expect(clients()).toBe(0);
  });

  it('are overridden by no handler, nor by the hook', async () => {
    const { url, clients } = await telling();
    const asked: Challenge['method'][] = [];
    const client = await stage.client({
      trust: { anchors, pins: { localhost: [OTHER_KEY] }, evaluate: () => ({ trust: true }) },
      onChallenge: ({ method }) => {
        asked.push(method);
        return { disposition: 'use-credential', credential: { trust: true } };
      },
    });
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ error: 'ERR_TLS_PIN' });
    expect([asked, clients()]).toEqual([['server-trust'], 0]);
  });
});

/** Answers by method, by default as without a handler; and what it was asked. */
function answering(answers: Partial<Record<Challenge['method'], Disposition>>) {
  const asked: Challenge[] = [];
  const onChallenge = async (challenge: Challenge): Promise<Disposition> => {
    asked.push(challenge);
    return answers[challenge.method] ?? { disposition: 'default' };
  };
  return { asked, onChallenge };
}

const trusting = { disposition: 'use-credential', credential: { trust: true } } as const;
const showing = (identity: Identity): Disposition => ({
  disposition: 'use-credential',
  credential: { identity },
});

describe('the challenges of a WebSocket', () => {
  const unknown: TrustOptions = { anchors: [] };

  it('let a person trust its server, once for all that wait, sockets among them', async () => {
    const { url } = await telling();
    const { asked, onChallenge } = answering({ 'server-trust': trusting });
    const client = await stage.client({ trust: unknown, onChallenge });
    const sockets = [1, 2, 3].map(() => new client.WebSocket(url));
    const socket = client.connect(new URL(url).host);
    expect(await Promise.all(sockets.map(firstMessage))).toEqual(['Ada', 'Ada', 'Ada']);
    await socket.opened;
    expect(asked.filter(it => it.method === 'server-trust')).toMatchObject([
      {
        host: 'localhost',
        port: Number(new URL(url).port),
        chain: expect.arrayContaining([expect.objectContaining({ subject: 'CN=localhost' })]),
        error: { code: 'ERR_TLS_CERT_UNTRUSTED' },
      },
    ]);
  });

  it.each([
    ['default', 'ERR_TLS_CERT_UNTRUSTED'],
    ['reject', 'ERR_TLS_CERT_UNTRUSTED'],
    ['cancel', 'ERR_TLS_CHALLENGE_CANCELLED'],
  ] as const)('end it, where its server is answered by %s', async (disposition, code) => {
    const { url, clients } = await telling();
    const { asked, onChallenge } = answering({ 'server-trust': { disposition } });
    const client = await stage.client({ trust: unknown, onChallenge });
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ code: 1006, error: code });
    expect([asked.map(it => it.method), clients()]).toEqual([['server-trust'], 0]);
  });

  it('choose its identity among several, until that is forgotten', async () => {
    const { url } = await telling();
    const { asked, onChallenge } = answering({ 'client-certificate': showing(bob) });
    const ada = await identityOf(stage.pki.issue({ subject: '/CN=Ada' }));
    const client = await stage.client({ identities: [ada, bob], onChallenge });
    const first = new client.WebSocket(url);
    expect(await firstMessage(first)).toBe('Bob');
    expect(await firstMessage(new client.WebSocket(url))).toBe('Bob');
    const questions = () => asked.filter(it => it.method === 'client-certificate').length;
    expect(questions()).toBe(1);
    await client.forget('localhost');
    expect(first.readyState).toBe(first.OPEN);
    expect(await firstMessage(new client.WebSocket(url))).toBe('Bob');
    expect(questions()).toBe(2);
  });

  it.each([
    ['reject', 'ERR_TLS_CLIENT_CERT_REQUIRED'],
    ['cancel', 'ERR_TLS_CHALLENGE_CANCELLED'],
  ] as const)('end it, where the question for its identity is answered by %s', async (disposition, code) => {
    const { url } = await telling();
    const client = await stage.client({
      onChallenge: answering({ 'client-certificate': { disposition } }).onChallenge,
    });
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ code: 1006, error: code });
  });

  it('tell that its server does not accept the identity', async () => {
    const { url } = await telling();
    const otherPki = new OpensslPki('Other CA');
    const stranger = await identityOf(otherPki.issue({ subject: '/CN=Stranger' }));
    otherPki.close();
    const client = await stage.client({
      onChallenge: answering({ 'client-certificate': showing(stranger) }).onChallenge,
    });
    expect(await endOf(new client.WebSocket(url))).toMatchObject({ error: 'ERR_TLS_CLIENT_CERT_REJECTED' });
  });

  it('go on while the WebSocket is closed for others, and open those', async () => {
    const { url } = await telling();
    let answer = (_: Disposition) => {};
    const client = await stage.client({
      trust: unknown,
      onChallenge: ({ method }) =>
        method === 'server-trust'
          ? new Promise(resolve => {
              answer = resolve;
            })
          : { disposition: 'default' },
    });
    const [closed, open] = [new client.WebSocket(url), new client.WebSocket(url)];
    const end = endOf(closed);
    closed.close();
    expect(await end).toMatchObject({ error: 'ERR_WEBSOCKET_CLOSED' });
    const opening = opened(open);
    await expect
      .poll(() => {
        answer(trusting);
        return open.readyState;
      })
      .toBe(open.OPEN);
    await opening;
  });
});
