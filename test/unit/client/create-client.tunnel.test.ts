import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, createClient } from '../../../src/index.js';
import { encodeData, encodeOpened, encodeReset } from '../../../src/tunnel/wire/frames.js';
import { codeOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import {
  platform,
  polite,
  type ScriptedPage,
  sleep,
  startScriptedRelay,
} from '../tunnel/support/scripted-relay.js';

const engine = engineModule();

async function clientOf(options: Partial<ClientOptions> & { tunnel: string }) {
  const client = await createClient({
    engine,
    ...options,
    tunnelOptions: { ...platform, ...options.tunnelOptions },
  });
  onTestFinished(() => client.close());
  return client;
}

const opens = (pages: ScriptedPage[]) => pages.map(page => page.of('open').length);

test('a client opens its WebSocket when it is made, with its token, and closes it at its own end', async () => {
  const { url, pages, page } = await startScriptedRelay(polite);
  const client = await clientOf({ tunnel: url, tunnelToken: 'T' });
  await expect.poll(() => pages[0]?.of('hello')).toMatchObject([{ token: 'T' }]);
  const fetching = codeOf(client.fetch('https://target.test/'));
  await expect.poll(() => page().of('data').length).toBeGreaterThan(0);
  await client.close();
  expect(await fetching).toBe('ERR_CLIENT_CLOSED');
  // The server is given 2 seconds to hang up.
  await expect.poll(() => page().closeCode, { timeout: 5_000 }).toBe(1000);
  expect(pages).toHaveLength(1);
});

test('a client may open it at the first use', async () => {
  const { url, pages } = await startScriptedRelay(() => {});
  const client = await clientOf({ tunnel: url, tunnelOptions: { connectAt: 'first-use' } });
  await sleep(100);
  expect(pages).toHaveLength(0);
  void client.fetch('https://target.test/').catch(() => {});
  await expect.poll(() => pages.length).toBe(1);
});

test('a client is made although no relay answers; its requests say so', async () => {
  const client = await clientOf({ tunnel: 'ws://127.0.0.1:9/' });
  expect(await codeOf(client.fetch('https://target.test/'))).toBe('ERR_TUNNEL_UNREACHABLE');
});

test('a client that cannot be made leaves no WebSocket', async () => {
  const { url, pages } = await startScriptedRelay(polite);
  // An engine that breaks off when the WebSocket is open.
  const body = new ReadableStream<Uint8Array>({
    async pull() {
      while (!pages[0]?.of('ping').length) await sleep(5);
      throw new Error('no engine');
    },
  });
  const failing = createClient({ tunnel: url, tunnelOptions: platform, engine: new Response(body) });
  await expect(failing).rejects.toThrow();
  await expect.poll(() => pages[0]?.closeCode).toBe(1000);
});

test.each<[string, object]>([
  ['tunnelOptions', { tunnel: { connect() {} }, tunnelOptions: {} }],
  ['tunnelOptions.token', { tunnel: 'ws://127.0.0.1:9/', tunnelOptions: { token: 'T' } }],
  [
    'tunnelOptions.connectAt',
    { tunnel: 'ws://127.0.0.1:9/', tunnelOptions: { ...platform, connectAt: 'now' } },
  ],
  ['tunnelOptions.windows', { tunnel: 'ws://127.0.0.1:9/', tunnelOptions: { ...platform, windows: 1 } }],
])('a wrong "%s" is a TypeError', async (name, options) => {
  const making = createClient({ engine, ...options } as ClientOptions);
  await expect(making).rejects.toThrow(TypeError);
  await expect(making).rejects.toThrow(`"${name}"`);
});

describe('a WebSocket that is lost in a handshake', () => {
  /** Loses the WebSocket at the first OPEN of each page up to the `lost`-th, and refuses the targets of later ones. */
  const losing = (lost: number, before: (page: ScriptedPage) => void = () => {}, code = 4030) => {
    let pages = 0;
    return (frame: Parameters<typeof polite>[0], page: ScriptedPage) => {
      if (frame.type === 'hello') page.welcome();
      if (frame.type !== 'open') return;
      if (++pages > lost) return page.send(encodeReset({ stream: frame.stream, code: 2, reason: 'refused' }));
      page.send(encodeOpened(frame.stream));
      before(page);
      page.webSocket.close(code);
    };
  };

  test('before the server has said anything is replaced', async () => {
    const { url, pages } = await startScriptedRelay(losing(1));
    const client = await clientOf({ tunnel: url });
    expect(await codeOf(client.fetch('https://target.test/'))).toBe('ERR_TUNNEL_UNREACHABLE');
    expect(opens(pages)).toEqual([1, 1]);
  });

  test('because its token has expired is replaced where another token may be had', async () => {
    const expiring = () => startScriptedRelay(losing(1, undefined, 4014));
    const renewed = await expiring();
    const client = await clientOf({ tunnel: renewed.url, tunnelToken: () => 'another' });
    expect(await codeOf(client.fetch('https://target.test/'))).toBe('ERR_TUNNEL_UNREACHABLE');
    expect(opens(renewed.pages)).toEqual([1, 1]);

    const fixed = await expiring();
    const other = await clientOf({ tunnel: fixed.url, tunnelToken: 'the only one' });
    expect(await codeOf(other.fetch('https://target.test/'))).toBe('ERR_TUNNEL_AUTH');
    expect(opens(fixed.pages)).toEqual([1]);
  });

  test('is replaced once', async () => {
    const { url, pages } = await startScriptedRelay(losing(9));
    const client = await clientOf({ tunnel: url });
    expect(await codeOf(client.fetch('https://target.test/'))).toBe('ERR_TUNNEL_CLOSED');
    expect(opens(pages)).toEqual([1, 1]);
  });

  test('is not when the server has begun to speak, nor when the relay ends the stream alone', async () => {
    const spoken = await startScriptedRelay(
      losing(9, page => page.send(encodeData(1, Uint8Array.of(22, 3)))),
    );
    const client = await clientOf({ tunnel: spoken.url });
    expect(await codeOf(client.fetch('https://target.test/'))).toBe('ERR_TUNNEL_CLOSED');
    expect(opens(spoken.pages)).toEqual([1]);

    const idle = await startScriptedRelay((frame, page) => {
      if (frame.type === 'hello') page.welcome();
      if (frame.type === 'open') page.send(encodeReset({ stream: frame.stream, code: 5, reason: '' }));
    });
    const other = await clientOf({ tunnel: idle.url });
    expect(await codeOf(other.fetch('https://target.test/'))).toBe('ERR_TUNNEL_CLOSED');
    expect(opens(idle.pages)).toEqual([1]);
  });
});
