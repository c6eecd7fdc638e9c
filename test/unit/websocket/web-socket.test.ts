import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket as WsSocket } from 'ws';
import type { WebSocketErrorEvent } from '../../../src/websocket/events.js';
import { endOf, messages, opened, Stage } from './support/servers.js';

const stage = new Stage();
afterEach(() => stage.reset());
afterAll(() => stage.close());

/** A client and an echo. */
async function echoing() {
  const { server, url } = await stage.serveWs();
  server.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })));
  return { server, url, client: await stage.sharedClient() };
}

describe('the shape of the platform', () => {
  it('has its constants, attributes and types', async () => {
    const { url, client } = await echoing();
    const socket = new client.WebSocket(url);
    expect([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED]).toEqual([0, 1, 2, 3]);
    const { CONNECTING, OPEN, CLOSING, CLOSED } = client.WebSocket;
    expect([CONNECTING, OPEN, CLOSING, CLOSED]).toEqual([0, 1, 2, 3]);
    expect(client.WebSocket.prototype).toMatchObject({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
    expect(() => Object.assign(socket, { OPEN: 2 })).toThrow(TypeError);
    expect(String(socket)).toBe('[object WebSocket]');
    const enumerated: string[] = [];
    for (const name in socket) enumerated.push(name);
    expect(enumerated).toEqual(
      expect.arrayContaining(['url', 'onmessage', 'binaryType', 'send', 'close', 'OPEN']),
    );
    expect(enumerated).not.toContain('constructor');
    expect(socket).toBeInstanceOf(client.WebSocket);
    expect(socket).toBeInstanceOf(EventTarget);
    expect(socket).toMatchObject({ url, readyState: 0, bufferedAmount: 0, extensions: '', protocol: '' });
    expect([socket.binaryType, socket.onopen]).toEqual(['blob', null]);
    (socket as { binaryType: string }).binaryType = 'text';
    expect(socket.binaryType).toBe('blob');
    expect(() => socket.send('early')).toThrow(expect.objectContaining({ name: 'InvalidStateError' }));
    await opened(socket);
    expect(socket.readyState).toBe(1);
  });

  it('has an event error that libraries can copy', async () => {
    const { url, server, client } = await echoing();
    server.on('connection', socket => socket.terminate());
    const socket = new client.WebSocket(url);
    const event = await new Promise<Event>(resolve => {
      socket.onerror = resolve;
    });
    const { constructor: Type, type } = event as { constructor: unknown; type: string };
    const copy: unknown = new (Type as typeof WebSocketErrorEvent)(type, event as WebSocketErrorEvent);
    const { error, message } = event as WebSocketErrorEvent;
    expect(error).toMatchObject({ code: 'ERR_TLS_TRUNCATED', message });
    expect(copy).toMatchObject({ type: 'error', error, message });
  });

  it('resolves addresses as the page does', async () => {
    const { url, client } = await echoing();
    vi.stubGlobal('document', { baseURI: url.replace('wss:', 'https:') });
    vi.stubGlobal('location', new URL('http://localhost/page'));
    try {
      expect(new client.WebSocket('./chat?x=1').url).toBe(`${url}chat?x=1`);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('has handlers as attributes, which keep their place among the listeners', async () => {
    const { url, client } = await echoing();
    const socket = new client.WebSocket(url);
    const calls: string[] = [];
    socket.onopen = () => calls.push('never');
    socket.addEventListener('open', () => calls.push('listener'));
    socket.onopen = function (event) {
      calls.push(`${event.type} ${(this as unknown) === socket}`);
    };
    socket.onmessage = () => calls.push('never');
    socket.onmessage = null;
    await opened(socket);
    expect(calls).toEqual(['open true', 'listener']);
    socket.send('x');
    await messages(socket, 1);
    expect(calls).toHaveLength(2);
  });

  it.each([
    ['nonsense', 'SyntaxError'],
    ['ftp://localhost/', 'SyntaxError'],
    ['wss://localhost/#part', 'SyntaxError'],
    ['wss://localhost/#', 'SyntaxError'],
    ['ws://localhost/', 'SecurityError'],
    ['http://localhost/', 'SecurityError'],
  ])('refuses the address %s', async (address, name) => {
    const client = await stage.sharedClient();
    expect(() => new client.WebSocket(address)).toThrow(expect.objectContaining({ name }));
  });

  it.each([[''], ['a b'], ['a,b'], ['ü'], [['a', 'a']], [{}]])(
    'refuses the subprotocols %j',
    async protocols => {
      const client = await stage.sharedClient();
      const open = () => new client.WebSocket('wss://localhost/', protocols as string[]);
      expect(open).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
    },
  );

  it('keeps what it refuses out of messages', async () => {
    const { WebSocket } = await stage.sharedClient();
    const secret = 'correct-horse';
    for (const open of [
      () => new WebSocket(`wss://user:${secret}@localhost:99999/`),
      () => new WebSocket('wss://localhost/', ['v1', `Bearer ${secret}`]),
    ]) {
      expect(open).toThrow(expect.objectContaining({ name: 'SyntaxError' }));
      expect(open).not.toThrow(secret);
    }
  });

  it('sends a name and a password that are no valid escapes as they are', async () => {
    const { url, server, client } = await echoing();
    const header = new Promise(resolve => {
      server.on('connection', (_, request) => resolve(request.headers.authorization));
    });
    await opened(new client.WebSocket(url.replace('//', '//ad%C3%A9:100%@')));
    expect(await header).toBe(`Basic ${Buffer.from('adé:100%').toString('base64')}`);
  });

  it('shows https: as wss:', async () => {
    const { url, client } = await echoing();
    const socket = new client.WebSocket(url.replace('wss', 'https'));
    expect(socket.url).toBe(url);
    await opened(socket);
  });

  it.each([
    [1001, undefined, 'InvalidAccessError'],
    [2999, undefined, 'InvalidAccessError'],
    [5000, undefined, 'InvalidAccessError'],
    [Number.NaN, undefined, 'InvalidAccessError'],
    [1000, 'ü'.repeat(62), 'SyntaxError'],
  ])('refuses close(%s, %s)', async (code, reason, name) => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    expect(() => socket.close(code, reason)).toThrow(expect.objectContaining({ name }));
    expect(socket.readyState).toBe(1);
  });
});

describe('messages', () => {
  it('travel both ways, whatever they are made of', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    socket.binaryType = 'arraybuffer';
    const bytes = Uint8Array.from({ length: 8 }, (_, i) => i);
    const received = messages(socket, 8);
    socket.send('');
    socket.send('grüße \u{1f600} \ud800');
    socket.send(bytes);
    socket.send(bytes.subarray(2, 4));
    socket.send(new DataView(bytes.buffer, 6));
    socket.send(bytes.buffer);
    socket.send(new Blob([bytes, 'x']));
    socket.send(new ArrayBuffer(0));
    bytes.fill(9);
    const data = (await received).map(it =>
      typeof it === 'string' ? it : [...new Uint8Array(it as ArrayBuffer)],
    );
    const all = [0, 1, 2, 3, 4, 5, 6, 7];
    expect(data).toEqual(['', 'grüße \u{1f600} \ufffd', all, [2, 3], [6, 7], all, [...all, 120], []]);
  });

  it('are events with data and origin', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    const event = new Promise<MessageEvent>(resolve => {
      socket.onmessage = resolve;
    });
    socket.send(Uint8Array.of(1, 2));
    const { data, origin } = await event;
    expect(data).toBeInstanceOf(Blob);
    expect(await (data as Blob).arrayBuffer()).toEqual(Uint8Array.of(1, 2).buffer);
    expect(`${origin}/`).toBe(url);
  });

  it.each([125, 126, 127, 65_535, 65_536, 65_537, 200_000, 5_000_000])(
    'of %i bytes come back',
    async size => {
      const { url, client } = await echoing();
      const socket = await opened(new client.WebSocket(url));
      socket.binaryType = 'arraybuffer';
      const sent = randomBytes(size);
      const received = messages(socket, 1);
      socket.send(sent);
      expect(Buffer.from((await received)[0] as ArrayBuffer).equals(sent)).toBe(true);
    },
  );

  it('keep their order, 5,000 of them', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    const sent = Array.from({ length: 5_000 }, (_, i) => `${i}:${'x'.repeat(i % 200)}`);
    const received = messages(socket, sent.length);
    for (const text of sent) socket.send(text);
    expect(await received).toEqual(sent);
  });

  it('keep their order when Blobs are among them', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    const received = messages(socket, 3);
    socket.send(new Blob(['first'.repeat(50_000)]));
    socket.send('second');
    socket.send(new Blob(['third']));
    const [, second, third] = await received;
    expect([second, await (third as Blob).text()]).toEqual(['second', 'third']);
  });

  it('that the server does not read are counted by bufferedAmount, also when no more can be sent', async () => {
    const { server, url } = await stage.serveWs();
    const client = await stage.sharedClient();
    const accepted = once(server, 'connection') as Promise<[WsSocket]>;
    const socket = await opened(new client.WebSocket(url));
    const [peer] = await accepted;
    peer.pause();
    const size = 32 << 20;
    socket.send(new Uint8Array(size));
    expect(socket.bufferedAmount).toBe(size);
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(socket.bufferedAmount).toBeGreaterThan(size / 4);
    peer.resume();
    const [data] = (await once(peer, 'message')) as [Buffer];
    expect(data.length).toBe(size);
    await expect.poll(() => socket.bufferedAmount).toBe(0);
    socket.close();
    socket.send('unsent');
    expect(socket.bufferedAmount).toBe(6);
    expect(await endOf(socket)).toMatchObject({ wasClean: true });
    expect(socket.bufferedAmount).toBe(6);
  });

  it('are answered while they are long: a ping gets its pong between two frames', async () => {
    const { server, url } = await stage.serveWs();
    const client = await stage.sharedClient();
    const order: string[] = [];
    server.on('connection', peer => {
      peer.on('message', () => order.push('message'));
      peer.on('pong', data => order.push(`pong ${data}`));
      peer.ping('now');
    });
    const socket = await opened(new client.WebSocket(url));
    socket.send(new Uint8Array(32 << 20));
    await expect.poll(() => order, { timeout: 10_000 }).toHaveLength(2);
    expect(order).toEqual(['pong now', 'message']);
  });
});

describe('subprotocols', () => {
  it('are offered, and the chosen one is told', async () => {
    const { url } = await stage.serveWs({ handleProtocols: offered => [...offered][1] ?? false });
    const client = await stage.sharedClient();
    const socket = await opened(new client.WebSocket(url, ['chat', 'superchat']));
    expect(socket.protocol).toBe('superchat');
  });
});

describe('the end', () => {
  it('by the page: the server is told code and reason, and gives them back', async () => {
    const { server, url } = await stage.serveWs();
    const client = await stage.sharedClient();
    const accepted = once(server, 'connection') as Promise<[WsSocket]>;
    const socket = await opened(new client.WebSocket(url));
    const peerClosed = once((await accepted)[0], 'close');
    socket.send('last words');
    socket.close(3001, 'bye ü');
    socket.close(4000);
    expect(socket.readyState).toBe(2);
    expect(await endOf(socket)).toEqual({ code: 3001, reason: 'bye ü', wasClean: true });
    expect(socket.readyState).toBe(3);
    expect((await peerClosed).map(String)).toEqual(['3001', 'bye ü']);
  });

  it('by the page without a code is 1005', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    socket.close();
    expect(await endOf(socket)).toMatchObject({ code: 1005, wasClean: true });
  });

  it('by the server', async () => {
    const { server, url } = await stage.serveWs();
    server.on('connection', peer => peer.close(4321, 'enough'));
    const client = await stage.sharedClient();
    const socket = new client.WebSocket(url);
    expect(await endOf(socket)).toEqual({ code: 4321, reason: 'enough', wasClean: true });
  });

  it('by the server, abruptly, is an error', async () => {
    const { server, url } = await stage.serveWs();
    server.on('connection', peer => setTimeout(() => peer.terminate(), 50));
    const client = await stage.sharedClient();
    const socket = new client.WebSocket(url);
    expect(await endOf(socket)).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_TLS_TRUNCATED' });
  });

  it('before it is open', async () => {
    const { url, client } = await echoing();
    const socket = new client.WebSocket(url);
    socket.close();
    expect(socket.readyState).toBe(2);
    expect(await endOf(socket)).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_WEBSOCKET_CLOSED' });
  });

  it('before it is open, through a tunnel that never answers', async () => {
    const client = await stage.client({ tunnel: { connect: () => new Promise(() => {}) } });
    const [first, second] = [
      new client.WebSocket('wss://localhost/'),
      new client.WebSocket('wss://localhost/'),
    ];
    const ends = Promise.all([endOf(first), endOf(second)]);
    first.close();
    await client.close();
    expect(await ends).toMatchObject([{ error: 'ERR_WEBSOCKET_CLOSED' }, { error: 'ERR_CLIENT_CLOSED' }]);
  });

  it('with the client: the server is told 1001', async () => {
    const { server, url } = await stage.serveWs();
    const client = await stage.client();
    const accepted = once(server, 'connection') as Promise<[WsSocket]>;
    const socket = await opened(new client.WebSocket(url));
    const peerClosed = once((await accepted)[0], 'close');
    const end = endOf(socket);
    await client.close();
    expect(await end).toMatchObject({ code: 1006, wasClean: false, error: 'ERR_CLIENT_CLOSED' });
    expect((await peerClosed)[0]).toBe(1001);
    const late = new client.WebSocket(url);
    expect(await endOf(late)).toMatchObject({ code: 1006, error: 'ERR_CLIENT_CLOSED' });
  });

  it('is silent for who has been told: no event follows close', async () => {
    const { url, client } = await echoing();
    const socket = await opened(new client.WebSocket(url));
    const events: string[] = [];
    for (const type of ['message', 'error', 'close']) socket.addEventListener(type, () => events.push(type));
    socket.close(1000);
    socket.send('nobody hears this');
    await endOf(socket);
    expect(events).toEqual(['close']);
  });
});

describe('identity and trust', () => {
  it('are those of the client', async () => {
    const { server, url } = await stage.serveWs();
    const names: unknown[] = [];
    server.on('connection', (_, request) => {
      const { socket } = request as unknown as {
        socket: { getPeerCertificate(): { subject: { CN: string } } };
      };
      names.push(socket.getPeerCertificate().subject.CN);
    });
    await opened(new (await stage.client()).WebSocket(url));
    expect(names).toEqual(['Ada']);
  });

  it('are told by code when they do not suffice', async () => {
    const { url } = await stage.serveWs();
    const nobody = await stage.client({ identities: [] });
    expect(await endOf(new nobody.WebSocket(url))).toMatchObject({ error: 'ERR_TLS_CLIENT_CERT_REQUIRED' });
    const stranger = await stage.client({ trust: {} });
    expect(await endOf(new stranger.WebSocket(url))).toMatchObject({ error: 'ERR_TLS_CERT_UNTRUSTED' });
  });
});
