import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import {
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  generateSecret,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { JwtOptions, Relay, RelayOptions } from '../src/index.js';
import { createRelay } from '../src/index.js';
import { connect, startEcho, startRelay, tunnelTo, until } from './support/harness.js';
import { TestPage } from './support/test-page.js';

const ISSUER = 'https://issuer.test';
const AUDIENCE = 'relay.test';
const now = () => Math.floor(Date.now() / 1000);

interface Issuer {
  alg: string;
  kid: string;
  privateKey: CryptoKey;
  jwk: Record<string, unknown>;
  pem: string;
}

async function makeIssuer(alg = 'ES256', kid = 'key-1'): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg };
  return { alg, kid, privateKey, jwk, pem: await exportSPKI(publicKey) };
}

function issue(
  { alg, kid, privateKey }: Issuer,
  claims: JWTPayload = {},
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const payload = { iss: ISSUER, aud: AUDIENCE, sub: 'ann', exp: now() + 60, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}

async function startIssuer(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
}

const jwksOf = (...issuers: Issuer[]) => JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) });

async function startAdmitting(jwt: Partial<JwtOptions>, options: RelayOptions = {}) {
  const echo = await startEcho();
  const { relay, events } = await startRelay({
    ...{ allow: [`127.0.0.1:${echo.port}`], newConnectionsPerSecond: 0 },
    jwt: { issuer: ISSUER, audience: AUDIENCE, ...jwt },
    ...options,
  });
  return { relay, events, port: echo.port };
}

/** What becomes of a page with this token. */
async function outcome(relay: Relay, port: number, token: string): Promise<string> {
  const { reader, writer } = await connect(tunnelTo(relay, { token }), port);
  writer.write(Uint8Array.of(1)).catch(() => {});
  const result = await reader.read().then(
    () => 'served',
    error => error.code,
  );
  if (result === 'served') await reader.cancel();
  return result;
}

test.each(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'])(
  'a token signed by %s admits, and its subject is logged',
  async alg => {
    const issuer = await makeIssuer(alg);
    const { relay, events, port } = await startAdmitting({ keys: [issuer.pem] });
    expect(await outcome(relay, port, await issue(issuer))).toBe('served');
    expect(events).toContainEqual({ type: 'admitted', connection: 1, subject: 'ann' });
  },
);

test('keys may be a JWK, a JWK Set as text, and several PEM blocks; a token that names no key is tried with each', async () => {
  const [a, b] = [await makeIssuer('ES256', 'a'), await makeIssuer('ES256', 'b')];
  for (const keys of [[a.jwk, b.jwk], [jwksOf(a, b)], [`${a.pem}\n${b.pem}`]]) {
    const { relay, port } = await startAdmitting({ keys });
    for (const issuer of [a, b]) {
      const token = await issue({ ...issuer, kid: undefined as never });
      expect(await outcome(relay, port, token)).toBe('served');
    }
    const stranger = await makeIssuer('ES256', 'a');
    expect(await outcome(relay, port, await issue(stranger))).toBe('ERR_TUNNEL_AUTH');
  }
});

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('tokens that are refused, and why', async () => {
  const issuer = await makeIssuer();
  const stranger = await makeIssuer();
  const { relay, events, port } = await startAdmitting({ keys: [issuer.jwk] });
  const good = await issue(issuer);
  const [, payload = ''] = good.split('.');
  const spki = new TextEncoder().encode(issuer.pem);
  const hs256 = await new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ann', exp: now() + 60 })
    .setProtectedHeader({ alg: 'HS256', kid: issuer.kid })
    .sign(spki);
  const cases: [string, string, number, string][] = [
    ['another audience', await issue(issuer, { aud: 'other' }), 4011, 'aud'],
    ['no audience', await issue(issuer, { aud: undefined as never }), 4011, 'aud'],
    ['another issuer', await issue(issuer, { iss: 'other' }), 4011, 'iss'],
    ['no subject', await issue(issuer, { sub: undefined as never }), 4011, 'sub'],
    ['an empty subject', await issue(issuer, { sub: '' }), 4011, 'sub'],
    ['no expiry', await issue(issuer, { exp: undefined as never }), 4011, 'exp'],
    ['expired', await issue(issuer, { exp: now() - 60 }), 4014, ''],
    ['not yet valid', await issue(issuer, { nbf: now() + 60 }), 4011, 'nbf'],
    ['alg none', `${base64url({ alg: 'none' })}.${payload}.`, 4011, ''],
    ['HS256 with the public key', hs256, 4011, ''],
    ['an unknown key', await issue({ ...issuer, kid: 'other' }), 4011, ''],
    ['another signer', await issue(stranger), 4011, ''],
    ['a changed payload', good.replace(payload, base64url({ sub: 'bob' })), 4011, ''],
    ['no JSON', 'YQ.YQ.YQ', 4011, ''],
    ['no JWT', 'just-some-text', 4011, ''],
    ['nothing', '', 4011, ''],
  ];
  for (const [name, token, code, reason] of cases) {
    const count = events.length;
    expect([name, await outcome(relay, port, token)]).toEqual([name, 'ERR_TUNNEL_AUTH']);
    const isClosed = () => events.slice(count).some(({ type }) => type === 'closed');
    await until(isClosed);
    const closed = events.slice(count).find(({ type }) => type === 'closed');
    expect([name, closed]).toEqual([name, expect.objectContaining({ code, reason })]);
  }
  expect(await outcome(relay, port, good)).toBe('served');
  expect(JSON.stringify(events)).not.toContain(payload.slice(0, 20));
});

test('the issuer’s clock may differ by the tolerance', async () => {
  const issuer = await makeIssuer();
  const { relay, port } = await startAdmitting({ keys: [issuer.jwk], clockToleranceMs: 30_000 });
  expect(await outcome(relay, port, await issue(issuer, { exp: now() - 20 }))).toBe('served');
  expect(await outcome(relay, port, await issue(issuer, { nbf: now() + 20 }))).toBe('served');
  expect(await outcome(relay, port, await issue(issuer, { exp: now() - 40 }))).toBe('ERR_TUNNEL_AUTH');
});

test('a WebSocket ends when its token expires, unless that is switched off', async () => {
  const issuer = await makeIssuer();
  for (const endAtExpiry of [true, false]) {
    const { relay, port } = await startAdmitting({ keys: [issuer.jwk], clockToleranceMs: 0, endAtExpiry });
    const token = await issue(issuer, { exp: now() + 2 });
    const { reader, writer } = await connect(tunnelTo(relay, { token }), port);
    await writer.write(Uint8Array.of(1));
    await reader.read();
    const ended = reader.read().then(
      () => 'data',
      error => error.code,
    );
    const wait = new Promise(resolve => setTimeout(resolve, 2500, 'goes on'));
    expect(await Promise.race([ended, wait])).toBe(endAtExpiry ? 'ERR_TUNNEL_AUTH' : 'goes on');
    await reader.cancel().catch(() => {});
  }
});

test('a page that can get tokens goes on behind the expiry of one', async () => {
  const issuer = await makeIssuer();
  const { relay, port } = await startAdmitting({ keys: [issuer.jwk], clockToleranceMs: 0 });
  const tunnel = tunnelTo(relay, { token: () => issue(issuer, { exp: now() + 2 }) });
  for (let time = 0; time < 2; time++) {
    const { reader, writer } = await connect(tunnel, port);
    await writer.write(Uint8Array.of(1));
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_CLOSED' });
  }
});

test('half a minute before a token expires, its page is asked for another WebSocket; streams go on until then', async () => {
  const secret = Buffer.alloc(32, 7);
  const { relay, events, port } = await startAdmitting({ secret, clockToleranceMs: 0 });
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const sign = (seconds: number) =>
    new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ann', exp: now() + seconds })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(secret);
  const lasting = await TestPage.open(relay, { hello: { token: await sign(90) } });
  const short = await TestPage.open(relay, { hello: { token: await sign(50) } });
  for (const page of [lasting, short]) page.open(1, port);
  const bothOpen = () => events.filter(({ type }) => type === 'stream-opened').length === 2;
  while (!bothOpen()) await setImmediate();
  const asked = (page: TestPage) => page.frame('goaway') !== undefined;
  vi.advanceTimersByTime(45_000);
  expect([asked(lasting), asked(short)]).toEqual([false, false]);
  vi.advanceTimersByTime(16_000);
  while (!asked(lasting)) await setImmediate();
  lasting.write(1, 'still there');
  while (lasting.receivedBytes(1) === 0) await setImmediate();
  const closed = lasting.closed();
  vi.advanceTimersByTime(30_000);
  expect(await closed).toEqual({ code: 4014, reason: '' });
  expect(asked(short)).toBe(false);
});

test('HS256 only by a secret of its own, and then nothing else', async () => {
  const secret = Buffer.alloc(32, 7);
  const { relay, port } = await startAdmitting({ secret });
  const sign = (alg: string, key: Uint8Array) =>
    new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'ann', exp: now() + 60 })
      .setProtectedHeader({ alg })
      .sign(key);
  expect(await outcome(relay, port, await sign('HS256', secret))).toBe('served');
  expect(await outcome(relay, port, await sign('HS256', Buffer.alloc(32, 8)))).toBe('ERR_TUNNEL_AUTH');
  expect(await outcome(relay, port, await sign('HS512', Buffer.alloc(64, 7)))).toBe('ERR_TUNNEL_AUTH');
});

test('tokens and JWTs both admit where both are set', async () => {
  const issuer = await makeIssuer();
  const { relay, port } = await startAdmitting({ keys: [issuer.jwk] }, { tokens: ['a-token-of-pages'] });
  expect(await outcome(relay, port, 'a-token-of-pages')).toBe('served');
  expect(await outcome(relay, port, await issue(issuer))).toBe('served');
  expect(await outcome(relay, port, 'another-token-of')).toBe('ERR_TUNNEL_AUTH');
});

test('a claim narrows targets, origins and bytes; one that cannot be read admits nobody', async () => {
  const issuer = await makeIssuer();
  const { relay, port } = await startAdmitting({ keys: [issuer.jwk] }, { allow: ['127.0.0.1:*'] });
  const withClaim = async (claim: unknown) =>
    outcome(relay, port, await issue(issuer, { browser_mtls_relay: claim as never }));
  expect(await withClaim({})).toBe('served');
  expect(await withClaim({ targets: [`127.0.0.1:${port}`], origins: ['http://page.test'], streams: 1 })).toBe(
    'served',
  );
  expect(await withClaim({ targets: ['127.0.0.1:1'] })).toBe('ERR_TUNNEL_DENIED');
  expect(await withClaim({ targets: [] })).toBe('ERR_TUNNEL_DENIED');
  expect(await withClaim({ origins: ['http://other.test'] })).toBe('ERR_TUNNEL_AUTH');
  expect(await withClaim({ streams: 0 })).toBe('ERR_TUNNEL_UNREACHABLE');
  const unreadable = [
    7,
    [],
    null,
    { target: [] },
    { targets: '*:*' },
    { targets: ['x'] },
    { streams: -1 },
    { origins: [1] },
  ];
  for (const claim of [...unreadable, { bytes_per_second: 1 }])
    expect(await withClaim(claim)).toBe('ERR_TUNNEL_AUTH');
  const startedAt = Date.now();
  const slow = await issue(issuer, { browser_mtls_relay: { bytes_per_second: 100_000 } });
  const { reader, writer } = await connect(tunnelTo(relay, { token: slow }), port);
  void writer.write(new Uint8Array(500_000)).catch(() => {});
  for (let received = 0; received < 500_000; ) received += (await reader.read()).value?.length ?? 500_000;
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
});

test('a claim does not widen what the relay allows', async () => {
  const issuer = await makeIssuer();
  const { relay, port } = await startAdmitting({ keys: [issuer.jwk] }, { allow: ['127.0.0.1:1'] });
  const token = await issue(issuer, { browser_mtls_relay: { targets: ['*:*'] } });
  expect(await outcome(relay, port, token)).toBe('ERR_TUNNEL_DENIED');
});

test('subjects have a limit of their own', async () => {
  const issuer = await makeIssuer();
  const { relay, events, port } = await startAdmitting(
    { keys: [issuer.jwk] },
    { maxConnectionsPerSubject: 1 },
  );
  const [ann, bob] = [await issue(issuer), await issue(issuer, { sub: 'bob' })];
  const first = await connect(tunnelTo(relay, { token: ann }), port);
  await first.writer.write(Uint8Array.of(1));
  await first.reader.read();
  expect(await outcome(relay, port, ann)).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(events).toContainEqual(expect.objectContaining({ code: 4013, reason: 'connections-per-subject' }));
  expect(await outcome(relay, port, bob)).toBe('served');
});

test('a JWK Set is fetched once, and again for a key that is new', async () => {
  const [first, second] = [await makeIssuer('ES256', 'first'), await makeIssuer('ES256', 'second')];
  let jwks = jwksOf(first);
  let fetched = 0;
  const jwksUrl = await startIssuer((_request, response) => {
    fetched++;
    response.end(jwks);
  });
  const { relay, port } = await startAdmitting({ jwksUrl });
  for (let count = 0; count < 3; count++)
    expect(await outcome(relay, port, await issue(first))).toBe('served');
  expect(fetched).toBe(1);
  jwks = jwksOf(second);
  // Names of keys are made up at no cost, so the set is not fetched for each, and the page is told to come later.
  for (let count = 0; count < 12; count++) {
    expect(await outcome(relay, port, await issue(second))).toBe('ERR_TUNNEL_UNREACHABLE');
  }
  expect(fetched).toBe(1);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11_000 });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  expect(await outcome(relay, port, await issue(second))).toBe('served');
  expect(await outcome(relay, port, await issue(first))).not.toBe('served');
  expect(fetched).toBe(2);
});

const broken: [string, RequestListener][] = [
  ['answers 500', (_request, response) => response.writeHead(500).end()],
  ['answers no JSON', (_request, response) => response.end('<html>')],
  ['redirects', (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  [
    'sends without end',
    (_request, response) => {
      const timer = setInterval(() => response.write(' '.repeat(65536)), 1);
      response.on('close', () => clearInterval(timer));
    },
  ],
  ['hangs up', request => request.socket.destroy()],
];

test.each(broken)(
  'a server of keys that %s refuses without counting guesses, and is told to the log once',
  async (_name, answer) => {
    const issuer = await makeIssuer();
    let isBroken = true;
    let fetched = 0;
    const jwksUrl = await startIssuer((request, response) => {
      fetched++;
      if (isBroken) answer(request, response);
      else response.end(jwksOf(issuer));
    });
    const { relay, events, port } = await startAdmitting({ jwksUrl });
    const token = await issue(issuer);
    const startedAt = Date.now();
    for (let count = 0; count < 11; count++)
      expect(await outcome(relay, port, token)).toBe('ERR_TUNNEL_UNREACHABLE');
    expect(events).toContainEqual(expect.objectContaining({ type: 'closed', code: 4015 }));
    expect(fetched).toBeLessThanOrEqual(1 + (Date.now() - startedAt) / 1000);
    isBroken = false;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1000 });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    expect(await outcome(relay, port, token)).toBe('served');
    const told = events.flatMap(event => (event.type === 'error' ? event.message : []));
    expect(told).toEqual([
      expect.stringMatching(/cannot be had: /),
      expect.stringMatching(/can be had again/),
    ]);
  },
);

test('keys serve for an hour beyond their ten minutes while newer ones cannot be fetched, and no longer than they are published', async () => {
  const [first, second] = [await makeIssuer('ES256', 'first'), await makeIssuer('ES256', 'second')];
  let jwks: string | undefined = jwksOf(first, second);
  let asked = 0;
  const jwksUrl = await startIssuer((_request, response) => {
    asked++;
    if (jwks === undefined) response.writeHead(503).end();
    else response.end(jwks);
  });
  const { relay, events, port } = await startAdmitting({ jwksUrl });
  const startedAt = Date.now();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const after = async (minutes: number, ...issuers: Issuer[]) => {
    vi.useFakeTimers({ toFake: ['Date'], now: startedAt + minutes * 60_000 });
    const outcomes = [];
    for (const issuer of issuers) outcomes.push(await outcome(relay, port, await issue(issuer)));
    return outcomes;
  };
  expect(await after(0, first, second)).toEqual(['served', 'served']);
  jwks = undefined;
  expect(await after(11, first, second)).toEqual(['served', 'served']);
  // Made-up names of keys do not have it asked more often.
  const stranger = await makeIssuer('ES256', 'stranger');
  expect(await after(11.1, first, stranger)).toEqual(['served', 'ERR_TUNNEL_UNREACHABLE']);
  expect(asked).toBe(2);
  expect(await after(69, second)).toEqual(['served']);
  expect(await after(71, first, second)).toEqual(['ERR_TUNNEL_UNREACHABLE', 'ERR_TUNNEL_UNREACHABLE']);
  jwks = jwksOf(second);
  expect(await after(72, first, second)).toEqual(['ERR_TUNNEL_AUTH', 'served']);
  // A set without keys is a set as well: nothing of the one before is left.
  jwks = jwksOf();
  expect(await after(83, second)).toEqual(['ERR_TUNNEL_AUTH']);
  expect(asked).toBe(6);
  const told = events.flatMap(event => (event.type === 'error' ? event.message : []));
  const end = new Date(startedAt + 70 * 60_000).toISOString().slice(0, 16);
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`cannot be had: .*; the last ones serve until ${end}`)),
    expect.stringMatching(/cannot be had: .*; JSON Web Tokens admit nobody/),
    expect.stringMatching(/can be had again/),
  ]);
});

test('with maxStaleKeysMs 0 no key serves beyond its ten minutes', async () => {
  const issuer = await makeIssuer();
  let isBroken = false;
  const jwksUrl = await startIssuer((request, response) => {
    if (isBroken) request.socket.destroy();
    else response.end(jwksOf(issuer));
  });
  const { relay, port } = await startAdmitting({ jwksUrl, maxStaleKeysMs: 0 });
  expect(await outcome(relay, port, await issue(issuer))).toBe('served');
  isBroken = true;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  expect(await outcome(relay, port, await issue(issuer))).toBe('ERR_TUNNEL_UNREACHABLE');
});

test('a server of keys that is slow holds what comes behind HELLO, within a bound, and is given up after 5 s', {
  timeout: 20_000,
}, async () => {
  const issuer = await makeIssuer();
  let delayMs = 300;
  const jwksUrl = await startIssuer((_request, response) => {
    setTimeout(() => response.end(jwksOf(issuer)), delayMs);
  });
  const slow = await startAdmitting({ jwksUrl });
  expect(await outcome(slow.relay, slow.port, await issue(issuer))).toBe('served');
  delayMs = 60_000;
  const never = await startAdmitting({ jwksUrl });
  const startedAt = Date.now();
  expect(await outcome(never.relay, never.port, await issue(issuer))).toBe('ERR_TUNNEL_UNREACHABLE');
  expect(Date.now() - startedAt).toBeGreaterThan(4500);
});

test('a page that vanishes while its token is judged leaves nothing behind', async () => {
  const issuer = await makeIssuer();
  let release = () => {};
  const jwksUrl = await startIssuer((_request, response) => {
    release = () => response.end(jwksOf(issuer));
  });
  const { relay, port, events } = await startAdmitting({ jwksUrl }, { maxConnections: 1 });
  const token = await issue(issuer);
  const tunnel = tunnelTo(relay, { token });
  const { reader } = await connect(tunnel, port);
  await new Promise(resolve => setTimeout(resolve, 100));
  await reader.cancel();
  tunnel.close();
  await until(() => events.some(({ type }) => type === 'closed'));
  release();
  expect(await outcome(relay, port, token)).toBe('served');
});

test('wrong options are TypeErrors that say what to do and hold no key', async () => {
  const issuer = await makeIssuer();
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const weak = await generateSecret('HS256', { extractable: true });
  const pkcs8 = await exportPKCS8(privateKey);
  const right = { issuer: ISSUER, audience: AUDIENCE, keys: [issuer.pem] };
  const wrong: [JwtOptions, RegExp][] = [
    [{ ...right, issuer: '' }, /jwt\.issuer/],
    [{ ...right, audience: undefined as never }, /jwt\.audience/],
    [{ issuer: ISSUER, audience: AUDIENCE }, /one of/],
    [{ ...right, secret: new Uint8Array(32) }, /one of/],
    [{ ...right, keys: [] }, /must have a key/],
    [{ ...right, keys: ['text'] }, /one is neither/],
    [{ ...right, keys: [pkcs8] }, /one is private/],
    [{ ...right, keys: [await exportJWK(privateKey)] }, /one is private or secret/],
    [{ ...right, keys: [await exportJWK(weak)] }, /one is private or secret/],
    [{ ...right, keys: [{ kty: 'EC' }] }, /cannot be read/],
    [{ ...right, algorithms: ['HS256'] }, /jwt\.algorithms/],
    [{ ...right, algorithms: ['none'] }, /jwt\.algorithms/],
    [{ ...right, maxStaleKeysMs: -1 }, /jwt\.maxStaleKeysMs/],
    [{ ...right, clockToleranceMs: -1 }, /jwt\.clockToleranceMs/],
    [{ ...right, audiences: [] } as never, /jwt\.audiences/],
    [{ issuer: ISSUER, audience: AUDIENCE, secret: new Uint8Array(31) }, /32 bytes/],
    [{ issuer: ISSUER, audience: AUDIENCE, jwksUrl: 'http://issuer.test/jwks' }, /https:/],
    [{ issuer: ISSUER, audience: AUDIENCE, jwksUrl: 'file:///jwks' }, /https:/],
  ];
  for (const [jwt, message] of wrong) {
    const error = await createRelay({ jwt }).catch(error => error);
    expect([error instanceof TypeError, error.message]).toEqual([true, expect.stringMatching(message)]);
    expect(error.message).not.toContain(pkcs8.split('\n')[1]);
  }
});
