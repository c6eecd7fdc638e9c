import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ConnectionEvent, DiagnosticEvent, Identity, RequestEndEvent } from '../../../src/index.js';
import { answering, IdentityStage, show, VARIANTS } from './support/identity-stage.js';
import type { WhoamiServer } from './support/whoami-server.js';

const stage = new IdentityStage();
let ada: Identity;
let events: DiagnosticEvent[];
const onEvent = (event: DiagnosticEvent) => void events.push(event);
const kinds = () => events.map(it => it.type);
const ofType = <T extends DiagnosticEvent['type']>(type: T) =>
  events.filter((it): it is Extract<DiagnosticEvent, { type: T }> => it.type === type);

beforeAll(async () => {
  ada = await stage.identity('Ada');
});
beforeEach(() => {
  events = [];
  performance.clearMeasures();
});
afterEach(() => stage.reset());
afterAll(() => stage.close());

async function settled(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 0));
}

it.each(VARIANTS)('tells a request and what it took, over $protocol and $tls', async variant => {
  const server = await stage.listen(variant);
  const { onChallenge } = answering(show(ada));
  const { client } = await stage.visitor({ identities: [ada], onChallenge, diagnostics: { onEvent } });
  const response = await client.fetch(`${server.url}a?b=c#d`);
  expect(await response.text()).toBe('Ada');
  await settled();
  expect(kinds()).toEqual([
    'request',
    'connection',
    ...(ofType('challenge').map(() => 'challenge') as string[]),
    'handshake',
    'response',
    'request-end',
  ]);
  expect(ofType('challenge').map(it => [it.method, it.disposition])).toContainEqual([
    'client-certificate',
    'use-credential',
  ]);
  const { connectionId } = client.connectionInfo(response) ?? {};
  const place = { host: 'localhost', port: server.port, connectionId };
  expect(ofType('connection')[0]).toMatchObject(place);
  expect(ofType('handshake')[0]).toMatchObject({
    ...place,
    agreed: { tlsVersion: variant.tls, alpn: variant.protocol, resumed: false, clientCertificateSent: true },
  });
  expect(ofType('request')[0]).toMatchObject({ requestId: 1, method: 'GET', url: `${server.url}a?b=c` });
  expect(ofType('response')[0]).toMatchObject({ requestId: 1, connectionId, status: 200 });
  const [end] = ofType('request-end') as [RequestEndEvent];
  expect(end).toMatchObject({ requestId: 1, bodyBytes: 3 });
  expect(end).not.toHaveProperty('error');
  const [connection] = ofType('connection') as [ConnectionEvent];
  expect(end.startTime + end.durationMs).toBeGreaterThanOrEqual(connection.startTime + connection.durationMs);
});

it('tells a retry, a failure, an abort and what each failed with', async () => {
  const server = await stage.listen({ protocol: 'http/1.1', tls: 'TLSv1.3' });
  const { client } = await stage.visitor({ identities: [ada], diagnostics: { onEvent } });
  expect(await (await client.fetch(server.url)).text()).toBe('Ada');
  const again = client.fetch(server.url);
  server.cut();
  expect(await (await again).text()).toBe('Ada');
  const controller = new AbortController();
  const slow = await client.fetch(`${server.url}slow`, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(slow.text()).rejects.toThrow('enough');
  await expect(client.fetch(`https://localhost:1/`)).rejects.toThrow();
  await settled();
  const ends = ofType('request-end');
  expect(ends.map(it => (it.error as Error | undefined)?.message)).toEqual([
    undefined,
    undefined,
    'enough',
    expect.any(String),
  ]);
  expect(ofType('handshake').at(-1)?.error).toBe(ends.at(-1)?.error);
  expect(ofType('retry')).toMatchObject([{ requestId: 2, error: { name: 'MtlsError' } }]);
});

it('tells WebSockets and redirects as requests of their own, and no credentials of an address', async () => {
  const server: WhoamiServer = await stage.listen({ protocol: 'http/1.1', tls: 'TLSv1.3' });
  const { client } = await stage.visitor({ identities: [ada], diagnostics: { onEvent } });
  await (await client.fetch(`${server.url}to?${encodeURIComponent(`${server.url}end`)}`)).text();
  const socket = new client.WebSocket(server.url.replace('https:', 'wss:').replace('//', '//user:secret@'));
  await new Promise(resolve => socket.addEventListener('close', resolve));
  await settled();
  expect(ofType('request').map(it => it.url.replace(/:\d+/, ''))).toEqual([
    `https://localhost/to?${encodeURIComponent(`${server.url}end`)}`,
    'https://localhost/end',
    'wss://localhost/',
  ]);
  expect(ofType('response').map(it => it.status)).toEqual([307, 200, 200]);
  expect(ofType('request-end')[2]?.error).toMatchObject({ code: 'ERR_WEBSOCKET_HANDSHAKE' });
  expect(JSON.stringify(events)).not.toContain('secret');
});

it('puts measures into the performance timeline', async () => {
  const server = await stage.listen({ protocol: 'h2', tls: 'TLSv1.3' });
  const { client } = await stage.visitor({ identities: [ada], diagnostics: { performanceTimeline: true } });
  await (await client.fetch(`${server.url}a`)).text();
  await expect(client.fetch('https://localhost:1/')).rejects.toThrow();
  await settled();
  const measures = performance.getEntriesByType('measure') as PerformanceMeasure[];
  expect(measures.map(it => it.name)).toEqual(
    expect.arrayContaining([
      `connection to localhost:${server.port}`,
      `TLS handshake with localhost:${server.port}`,
      `GET ${server.url}a`,
      'GET https://localhost:1/',
    ]),
  );
  const [request] = measures.filter(it => it.name === `GET ${server.url}a`);
  expect(request?.detail).toMatchObject({ status: '200', protocol: 'h2', 'body bytes': '3' });
  const failed = measures.find(it => it.name === 'GET https://localhost:1/');
  expect(failed?.detail).toMatchObject({ error: expect.stringMatching(/^E/), devtools: { color: 'error' } });
});

it('a listener that throws disturbs no request', async () => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  try {
    const server = await stage.listen({ protocol: 'h2', tls: 'TLSv1.3' });
    const { whoami } = await stage.visitor({
      identities: [ada],
      diagnostics: {
        onEvent: () => {
          throw new Error('the listener is broken');
        },
      },
    });
    expect(await whoami(server.url)).toBe('Ada');
    await settled();
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  expect(rejections.length).toBeGreaterThan(0);
});

it.each([
  [{ onEvent: 1 }, '"diagnostics.onEvent" must be a function'],
  [{ performanceTimeline: 'yes' }, '"diagnostics.performanceTimeline" must be true or false'],
  [{ onevent: () => {} }, '"diagnostics.onevent" is not an option'],
])('refuses %o', async (diagnostics, message) => {
  await expect(stage.visitor({ diagnostics: diagnostics as never })).rejects.toThrow(message);
});
