import type net from 'node:net';
import { describe, expect, it } from 'vitest';
import { MtlsError } from '../../../../src/errors.js';
import { END_STREAM, Frame, frame, headers, serveFrames, u32 } from '../support/h2-frames.js';
import {
  client,
  rejection,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

let tested: TestClient;
let server: TestServer;

const big = new Uint8Array(1 << 20);

interface Case {
  name: string;
  /** How much of a request the server reads before it acts. */
  reads: 'all' | 'half' | 'nothing';
  act: (socket: net.Socket) => void;
}

/** Each way in which a server may leave a request unanswered, so that nobody knows whether it has been processed. */
const cases: Case[] = [
  { name: 'that ends behind the whole request', reads: 'all', act: socket => void socket.end() },
  {
    name: 'that resets behind the whole request',
    reads: 'all',
    act: socket => void socket.resetAndDestroy(),
  },
  { name: 'that ends behind half of the request', reads: 'half', act: socket => void socket.end() },
  {
    name: 'that resets behind half of the request',
    reads: 'half',
    act: socket => void socket.resetAndDestroy(),
  },
  { name: 'that ends as the request arrives', reads: 'nothing', act: socket => void socket.end() },
  {
    name: 'that resets as the request arrives',
    reads: 'nothing',
    act: socket => void socket.resetAndDestroy(),
  },
];

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** Answers the requests for `/ok`, and leaves the others in the way of the case. Counts them by method. */
async function leave({ reads, act }: Case, counts: Map<string, number>): Promise<TestServer> {
  return serveRaw(socket => {
    let head = '';
    let bytes = 0;
    let left = false;
    const actOnce = () => {
      if (!left) act(socket);
      left = true;
    };
    socket.on('data', chunk => {
      head += bytes === 0 ? chunk.toString('latin1') : '';
      if (!head.includes('\r\n\r\n')) return;
      const [, method = '', path] = /^(\S+) (\S+)/.exec(head) ?? [];
      if (bytes === 0) counts.set(method, (counts.get(method) ?? 0) + 1);
      bytes += chunk.length;
      if (path === '/ok') {
        [head, bytes] = ['', 0];
        socket.write(ok);
        // From here on its kernel takes what the server never reads.
        if (reads === 'nothing') socket.pause();
        return;
      }
      const wanted = reads === 'half' ? big.length / 2 : big.length;
      if (bytes < wanted && method !== 'GET') return;
      if (reads === 'half') socket.pause();
      actOnce();
    });
  });
}

describe.each(cases)('an http/1.1 server $name', it_ => {
  const start = async (counts: Map<string, number>) => {
    server = await leave(it_, counts);
    tested = await client('http/1.1');
    await (await tested.fetch(url(server, '/ok'))).text();
    counts.clear();
  };
  /** Where the server reads nothing, it acts once the request is under way. */
  const send = async (init: RequestInit) => {
    const fetching = rejection(tested.fetch(url(server), init));
    if (it_.reads === 'nothing') {
      for (let round = 0; round < 2; round++) {
        await sleep(30);
        for (const socket of server.sockets) it_.act(socket);
      }
    }
    return fetching;
  };

  it('gets a POST and a PATCH once', async () => {
    for (const method of ['POST', 'PATCH']) {
      const counts = new Map<string, number>();
      await start(counts);
      const accepted = server.accepted;
      const error = await send({ method, body: big });
      expect(error.code).toMatch(/^ERR_(HTTP_CLOSED|TLS_TRUNCATED)$/);
      expect(error).toBeInstanceOf(TypeError);
      await sleep(50);
      expect(server.accepted).toBe(accepted);
      expect(counts.get(method) ?? 0).toBeLessThanOrEqual(1);
    }
  });

  it('gets a GET and a PUT twice at most', async () => {
    for (const method of ['GET', 'PUT']) {
      const counts = new Map<string, number>();
      await start(counts);
      const accepted = server.accepted;
      const error = await send({ method, ...(method === 'PUT' && { body: big }) });
      expect(error.code).toMatch(/^ERR_(HTTP_CLOSED|TLS_TRUNCATED)$/);
      await sleep(50);
      expect(server.accepted).toBe(accepted + 1);
      expect(counts.get(method) ?? 0).toBeLessThanOrEqual(2);
    }
  });
});

describe('a tunnel that breaks behind each request', () => {
  const resets = cases.find(it => it.name === 'that resets behind the whole request') as Case;
  const start = async () => {
    const counts = new Map<string, number>();
    server = await leave(resets, counts);
    tested = await client('http/1.1', { reset: new MtlsError('ERR_TUNNEL_CLOSED', 'The tunnel broke.') });
    await (await tested.fetch(url(server, '/ok'))).text();
    counts.clear();
    return counts;
  };

  it.each(['GET', 'PUT'])('lets a %s come through twice at most', async method => {
    const counts = await start();
    const error = await rejection(
      tested.fetch(url(server), { method, ...(method === 'PUT' && { body: big }) }),
    );
    expect(error.code).toBe('ERR_TUNNEL_CLOSED');
    expect(counts.get(method)).toBe(2);
  });

  it('lets a PUT come through once whose body cannot be read again', async () => {
    const counts = await start();
    const body = new Blob([big]).stream();
    const error = await rejection(tested.fetch(url(server), { method: 'PUT', body }));
    expect(error.code).toBe('ERR_TUNNEL_CLOSED');
    expect(counts.get('PUT')).toBe(1);
  });
});

describe('an h2 server', () => {
  const answer = (stream: number) =>
    Buffer.concat([headers(stream, [[':status', '200']]), frame([Frame.data, END_STREAM], stream)]);
  const goAway = (last: number, code: number) =>
    frame([Frame.goAway], 0, Buffer.concat([u32(last), u32(code)]));
  const reset = (stream: number, code: number) => frame([Frame.rstStream], stream, u32(code));

  /** Answers the first request of each connection, and does `act` to the second one of the first; counts the requests. */
  const start = async (act: (socket: net.Socket, stream: number) => void) => {
    const counted = { requests: 0 };
    let first: net.Socket | undefined;
    let acted = false;
    server = await serveFrames((socket, stream) => {
      counted.requests++;
      first ??= socket;
      if (stream === 1 || socket !== first || acted) return void socket.write(answer(stream));
      acted = true;
      act(socket, stream);
    });
    tested = await client('h2');
    await (await tested.fetch(url(server))).text();
    return counted;
  };
  const post = () => tested.fetch(url(server), { method: 'POST', body: 'once' });

  it.each([
    ['goes away without it (NO_ERROR)', (_: number) => goAway(1, 0)],
    ['goes away without it (ENHANCE_YOUR_CALM)', (_: number) => goAway(1, 11)],
    [
      'goes away in two steps, at last without it',
      (_: number) => Buffer.concat([goAway(0x7fff_ffff, 0), goAway(1, 0)]),
    ],
    ['refuses it', (stream: number) => reset(stream, 7)],
  ])('that %s gets a POST again, elsewhere or later', async (_name, bytes) => {
    const counted = await start((socket, stream) => void socket.write(bytes(stream)));
    expect((await post()).status).toBe(200);
    expect(counted.requests).toBe(3);
  });

  it.each([
    ['goes away with it (NO_ERROR), and ends', (stream: number) => goAway(stream, 0), 'end'],
    ['goes away with it (ENHANCE_YOUR_CALM), and ends', (stream: number) => goAway(stream, 11), 'end'],
    ['goes away with it (NO_ERROR), and is cut', (stream: number) => goAway(stream, 0), 'cut'],
    ['ends without a word', () => Buffer.alloc(0), 'end'],
    ['is cut', () => Buffer.alloc(0), 'cut'],
    ['cancels it', (stream: number) => reset(stream, 8), 'stay'],
    ['resets it without an error', (stream: number) => reset(stream, 0), 'stay'],
    [
      'begins to answer, then refuses it',
      (stream: number) => Buffer.concat([headers(stream, [[':status', '200']]), reset(stream, 7)]),
      'stay',
    ],
    ...([0, 8] as const).map(
      reason =>
        [
          `gives its answer up halfway (${reason})`,
          (stream: number) =>
            Buffer.concat([
              headers(stream, [[':status', '200']]),
              frame([Frame.data], stream, Buffer.from('part')),
              reset(stream, reason),
            ]),
          'stay',
        ] as const,
    ),
  ] as const)('that %s gets a POST once', async (_name, bytes, end) => {
    const counted = await start((socket, stream) => {
      const last = () => {
        if (end === 'end') socket.end();
        if (end === 'cut') setTimeout(() => socket.resetAndDestroy(), 30);
      };
      socket.write(bytes(stream), last);
      if (bytes(stream).length === 0) last();
    });
    const failing = async () => (await post()).text();
    expect((await rejection(failing())).code).toMatch(/^ERR_(HTTP_CLOSED|HTTP_RESET|TLS_TRUNCATED)$/);
    await sleep(100);
    expect(counted.requests).toBe(2);
    expect((await tested.fetch(url(server))).status).toBe(200);
    expect(counted.requests).toBe(3);
  });

  it('that takes one request of a connection, and answers it late, gets all of them in the end', async () => {
    const greeted = new Set<net.Socket>();
    server = await serveFrames((socket, stream) => {
      if (greeted.has(socket)) return;
      greeted.add(socket);
      socket.write(goAway(stream, 0));
      setTimeout(() => socket.end(answer(stream)), 20);
    });
    tested = await client('h2');
    const statuses = Array.from({ length: 40 }, async () => (await post()).status);
    expect(new Set(await Promise.all(statuses))).toEqual(new Set([200]));
    expect(greeted.size).toBe(40);
  }, 60_000);

  it('that goes away with a request answers it all the same', async () => {
    const counted = await start((socket, stream) => {
      socket.write(goAway(stream, 0));
      setTimeout(() => socket.end(answer(stream)), 50);
    });
    expect((await post()).status).toBe(200);
    expect(counted.requests).toBe(2);
  });

  it('that refuses a body of which something was read, and which cannot be read again, gets it once', async () => {
    const counted = await start((socket, stream) => {
      setTimeout(() => socket.write(reset(stream, 7)), 50);
    });
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: controller => (pulled++ ? new Promise<void>(() => {}) : controller.enqueue(new Uint8Array(10))),
      },
      { highWaterMark: 0 },
    );
    const error = await rejection(tested.fetch(url(server), { method: 'POST', body }));
    expect(error.code).toBe('ERR_HTTP_RESET');
    expect(counted.requests).toBe(2);
  });
});

describe('a connection that ends while it is idle', () => {
  it('with 408 (Request Timeout) is left, and a POST goes over another', async () => {
    let connections = 0;
    const seen: string[] = [];
    server = await serveRaw(socket => {
      const connection = ++connections;
      socket.on('data', chunk => {
        seen.push(`${connection} ${chunk.toString('latin1').split(' ')[0]}`);
        socket.write(ok);
      });
    });
    tested = await client('http/1.1');
    await (await tested.fetch(url(server))).text();
    for (const socket of server.sockets)
      socket.end('HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n');
    await until(() => tested.engine.openCount === 0);
    const response = await tested.fetch(url(server), { method: 'POST', body: 'x' });
    expect(await response.text()).toBe('ok');
    expect(seen).toEqual(['1 GET', '2 POST']);
  });
});
