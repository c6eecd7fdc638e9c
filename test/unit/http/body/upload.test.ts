import type { ServerHttp2Stream } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { ClientRequest } from '../../../../src/fetch/request/client-request.js';
import type { BodyProgress } from '../../../../src/http/body/progress.js';
import type { Exchange } from '../../../../src/http/connection/exchange.js';
import type { HttpConnection } from '../../../../src/http/connection/http-connection.js';
import { END_STREAM, Frame, frame, headers, serveFrames } from '../support/h2-frames.js';
import {
  bodyOf,
  client,
  type Handler,
  rejection,
  serve,
  serveRaw,
  sleep,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

const KIB = 1024;
const MIB = 1024 * KIB;

let tested: TestClient;
let server: TestServer;

const start = async (protocol: 'h2' | 'http/1.1', handler: Handler) => {
  server = await serve(protocol, handler);
  tested = await client(protocol);
};

/** A stream without end, which counts what was taken of it. */
function endless(chunkBytes = 64 * KIB) {
  const counted = { bytes: 0, cancelled: undefined as unknown, stream: new ReadableStream<Uint8Array>() };
  counted.stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await sleep(0);
        counted.bytes += chunkBytes;
        controller.enqueue(new Uint8Array(chunkBytes));
      },
      cancel: reason => {
        counted.cancelled = reason ?? 'no reason';
      },
    },
    { highWaterMark: 0 },
  );
  return counted;
}

/** Waits until nothing more is taken, and says how much was. */
async function settled(counted: { bytes: number }): Promise<number> {
  for (let before = -1; before !== counted.bytes; ) {
    before = counted.bytes;
    await sleep(300);
  }
  return counted.bytes;
}

for (const protocol of ['h2', 'http/1.1'] as const) {
  describe(`an upload over ${protocol}`, () => {
    it('stops when the server reads no more, and goes on when it does', async () => {
      const resumes: (() => void)[] = [];
      let received = 0;
      await start(protocol, (request, response) => {
        resumes.push(() => {
          request.on('data', (chunk: Buffer) => {
            received += chunk.length;
            if (received > 16 * MIB) response.end('enough');
          });
        });
      });
      const upload = endless();
      const fetching = tested.fetch(url(server), { method: 'POST', body: upload.stream });
      await until(() => resumes.length === 1);
      // The sockets' own buffers hold the larger part of it.
      expect(await settled(upload)).toBeLessThan(12 * MIB);
      expect(tested.engine.memoryBytes).toBeLessThan(8 * MIB);
      resumes[0]?.();
      const response = await fetching;
      expect(await response.text()).toBe('enough');
    });

    it('is stopped by an answer that is an error', async () => {
      await start(protocol, (request, response) => {
        request.on('error', () => {});
        response.writeHead(413).end('too large');
      });
      const upload = endless();
      const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
      expect(response.status).toBe(413);
      expect(await response.text()).toBe('too large');
      await until(() => upload.cancelled !== undefined);
      const next = await tested.fetch(url(server), { method: 'POST', body: 'small' });
      expect(next.status).toBe(413);
      await next.text();
    });

    it('is stopped by a redirect, which is followed', async () => {
      await start(protocol, (request, response) => {
        request.on('error', () => {});
        if (request.url === '/there') response.end('there');
        else response.writeHead(303, { location: '/there' }).end('elsewhere');
      });
      const upload = endless();
      const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
      expect(await response.text()).toBe('there');
      await until(() => upload.cancelled !== undefined);
    });

    it('goes on behind an answer that is none', async () => {
      let whole = 0;
      await start(protocol, async (request, response) => {
        response.end('early');
        whole = (await bodyOf(request)).length;
      });
      let left = 20;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await sleep(5);
          controller.enqueue(new Uint8Array(10_000));
          if (--left === 0) controller.close();
        },
      });
      const response = await tested.fetch(url(server), { method: 'POST', body });
      expect(await response.text()).toBe('early');
      await until(() => whole === 200_000);
    });

    it('ends by an abort behind an answer that is complete', async () => {
      await start(protocol, (request, response) => {
        request.on('error', () => {}).resume();
        response.end('early');
      });
      const controller = new AbortController();
      const upload = endless();
      const init = { method: 'POST', body: upload.stream, signal: controller.signal };
      const response = await tested.fetch(url(server), init);
      expect(await response.text()).toBe('early');
      controller.abort('enough');
      await until(() => upload.cancelled === 'enough');
      const next = await tested.fetch(url(server));
      expect(await next.text()).toBe('early');
    });

    it('tells how far it is', async () => {
      await start(protocol, async (request, response) => {
        const bytes = await bodyOf(request);
        response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      });
      const up: BodyProgress[] = [];
      const down: BodyProgress[] = [];
      const send = (body: BodyInit) =>
        tested.fetch(url(server), {
          method: 'POST',
          body,
          onUploadProgress: it => up.push(it),
          onDownloadProgress: it => down.push(it),
        });
      const response = await send(new Uint8Array(MIB));
      expect(up.at(-1)).toEqual({ bytes: MIB, totalBytes: MIB });
      expect(down).toEqual([]);
      expect((await response.arrayBuffer()).byteLength).toBe(MIB);
      expect(down.at(-1)).toEqual({ bytes: MIB, totalBytes: MIB });
      for (const counts of [up, down].map(steps => steps.map(it => it.bytes))) {
        expect(counts.length).toBeGreaterThan(2);
        expect(counts).toEqual([...counts].sort((a, b) => a - b));
      }
      up.length = 0;
      await (await send(new Blob(['of unknown length']).stream())).text();
      expect(up).toEqual([{ bytes: 17 }]);
      const wrong = { onUploadProgress: 'no' } as unknown as RequestInit;
      expect(await rejection(tested.fetch(url(server), wrong))).toBeInstanceOf(TypeError);
    });
  });
}

describe('an upload over h2', () => {
  it('is full duplex: 64 MiB come back while they go', { timeout: 60_000 }, async () => {
    await start('h2', (request, response) => void request.pipe(response));
    let sent = 0;
    let received = 0;
    let mostApart = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent === 64 * MIB) return controller.close();
        sent += 64 * KIB;
        controller.enqueue(new Uint8Array(64 * KIB));
      },
    });
    const response = await tested.fetch(url(server), { method: 'POST', body });
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      mostApart = Math.max(mostApart, sent - received);
    }
    expect(received).toBe(64 * MIB);
    expect(mostApart).toBeLessThan(16 * MIB);
    expect(tested.engine.memoryBytes).toBeLessThan(24 * MIB);
  });

  it('that fails behind the head of its answer, fails the body of that', async () => {
    await start('h2', (request, response) => {
      request.on('error', () => {});
      request.pipe(response);
    });
    const broken = new Error('disk');
    let fail = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(1000));
        fail = () => controller.error(broken);
      },
    });
    const response = await tested.fetch(url(server), { method: 'POST', body });
    fail();
    expect(await rejection(response.arrayBuffer())).toMatchObject({
      code: 'ERR_HTTP_BODY',
      cause: { cause: broken },
    });
    const next = await tested.fetch(url(server), { method: 'POST', body: 'next' });
    expect(await next.text()).toBe('next');
    expect(tested.connects.count).toBe(1);
  });

  it('that is aborted leaves others room, although the server never makes any', async () => {
    // The window of a connection is 65,535 bytes.
    const answer = frame([Frame.data, END_STREAM], 0, Buffer.from('ok'));
    let received = 0;
    server = await serveFrames(
      () => {},
      undefined,
      (socket, { stream, flags, length }) => {
        received += length;
        if (!(flags & END_STREAM)) return;
        answer.writeUInt32BE(stream, 5);
        socket.write(Buffer.concat([headers(stream, [[':status', '200']]), answer]));
      },
    );
    tested = await client('h2');
    const controller = new AbortController();
    const upload = endless();
    const init = { method: 'POST', body: upload.stream, signal: controller.signal };
    const aborted = rejection(tested.fetch(url(server), init));
    await until(() => received === 65_535);
    controller.abort();
    expect(await aborted).toMatchObject({ name: 'AbortError' });
    const next = await tested.fetch(url(server), { method: 'POST', body: 'small' });
    expect(await next.text()).toBe('ok');
    expect(tested.connects.count).toBe(2);
  });

  it.each([
    ['NO_ERROR', 0],
    ['CANCEL', 8],
  ])('keeps the answer of a server that resets the stream behind it with %s', async (_name, code) => {
    await start('h2', (_request, response) => {
      const { stream } = response as unknown as { stream: ServerHttp2Stream };
      stream.on('error', () => {});
      stream.respond({ ':status': 413 });
      stream.end('too large', () => setTimeout(() => stream.close(code), 20));
    });
    const upload = endless();
    const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
    expect(response.status).toBe(413);
    expect(await response.text()).toBe('too large');
    await until(() => upload.cancelled !== undefined);
    expect(tested.connects.count).toBe(1);
  });
});

describe('an upload that never begins', () => {
  it('lets its source go', async () => {
    await start('h2', (_request, response) => void response.end());
    const controller = new AbortController();
    for (const fail of ['refused', 'aborted'] as const) {
      const upload = endless();
      const init = { method: 'POST', body: upload.stream, signal: controller.signal };
      if (fail === 'refused') tested.connects.failWith = new Error('no way');
      else tested.connects.delayMs = 50;
      const failed = rejection(tested.fetch(url(server), init));
      if (fail === 'aborted') controller.abort('enough');
      await failed;
      await until(() => upload.cancelled !== undefined);
      expect(upload.bytes).toBe(0);
      tested.connects.failWith = undefined;
    }
  });
});

describe("a Request's body", () => {
  it('is let go by an abort while its length is being found out', async () => {
    await start('h2', (_request, response) => void response.end());
    let cancelled: unknown;
    const body = new ReadableStream<Uint8Array>({
      start: it => it.enqueue(new Uint8Array(10)),
      cancel: reason => {
        cancelled = reason;
      },
    });
    const request = new Request(url(server), { method: 'POST', body, duplex: 'half' } as RequestInit);
    const controller = new AbortController();
    const aborted = rejection(tested.fetch(request, { signal: controller.signal }));
    await sleep(20);
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    expect(cancelled).toBe('enough');
    expect(tested.connects.count).toBe(0);
  });

  it('that does not end is sent on as it comes', async () => {
    const seen: string[] = [];
    await start('http/1.1', (request, response) => {
      seen.push(`${request.headers['transfer-encoding']} ${request.headers['content-length']}`);
      request.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
      request.on('end', () => response.end('done'));
    });
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(it) {
        controller = it;
        it.enqueue(new TextEncoder().encode('begin'));
      },
    });
    const request = new Request(url(server), { method: 'POST', body, duplex: 'half' } as RequestInit);
    const answer = tested.fetch(request);
    await until(() => seen.length === 2);
    expect(seen).toEqual(['chunked undefined', 'begin']);
    controller?.enqueue(new TextEncoder().encode('more'));
    await until(() => seen.length === 3);
    controller?.close();
    expect(await (await answer).text()).toBe('done');
    expect(seen.at(-1)).toBe('more');
  });

  it('that fails while its length is found out, or later, fails the request', async () => {
    await start('http/1.1', (request, response) => {
      request.on('error', () => {}).on('end', () => response.end());
      request.resume();
    });
    for (const bytes of [10, 9 * MIB]) {
      let left = bytes;
      const body = new ReadableStream<Uint8Array>({
        pull(it) {
          left -= 64 * KIB;
          if (left < -64 * KIB) it.error(new Error('disk'));
          else it.enqueue(new Uint8Array(64 * KIB));
        },
      });
      const request = new Request(url(server), { method: 'POST', body, duplex: 'half' } as RequestInit);
      const error = (await rejection(tested.fetch(request))) as TypeError;
      expect(error).toMatchObject({ code: 'ERR_HTTP_BODY', cause: { cause: { message: 'disk' } } });
    }
  });

  it('of many at once has its length, and takes no more of the engine', async () => {
    const lengths: unknown[] = [];
    await start('http/1.1', async (request, response) => {
      const { length } = await bodyOf(request);
      lengths.push([request.headers['content-length'], request.headers['transfer-encoding'], length]);
      response.end();
    });
    const send = async () => {
      const request = new Request(url(server), { method: 'POST', body: new Uint8Array(3 * MIB) });
      return (await tested.fetch(request)).text();
    };
    await Promise.all(Array.from({ length: 30 }, send));
    expect(lengths).toEqual(Array(30).fill([String(3 * MIB), undefined, 3 * MIB]));
    expect(tested.engine.memoryBytes).toBeLessThan(16 * MIB);
  });
});

describe("many Requests' bodies that never end", () => {
  it('hold up one another for two seconds at most, and are let go by an abort in the line', async () => {
    const seen: unknown[] = [];
    await start('h2', async (request, response) => {
      seen.push(request.headers['content-length']);
      response.end(String((await bodyOf(request)).length));
    });
    const aborting = new AbortController();
    const cancelled: unknown[] = [];
    const slow = Array.from({ length: 9 }, () => {
      const body = new ReadableStream<Uint8Array>({
        start: it => it.enqueue(new Uint8Array(10)),
        cancel: reason => void cancelled.push(reason),
      });
      const request = new Request(url(server), { method: 'POST', body, duplex: 'half' } as RequestInit);
      return rejection(tested.fetch(request, { signal: aborting.signal }));
    });
    const request = new Request(url(server), { method: 'POST', body: new Uint8Array(3 * MIB) });
    const startMs = performance.now();
    expect(await (await tested.fetch(request)).text()).toBe(String(3 * MIB));
    expect(performance.now() - startMs).toBeGreaterThan(1_500);
    expect(seen).toContain(String(3 * MIB));
    aborting.abort('enough');
    expect(await Promise.all(slow)).toEqual(Array(9).fill('enough'));
    await until(() => cancelled.length === 9);
  });
});

it('the body of client.Request is sent again when a connection ends that was of use', async () => {
  let asked = 0;
  const bodies: number[] = [];
  await start('http/1.1', async (request, response) => {
    if (++asked === 2) return void request.socket.end();
    bodies.push((await bodyOf(request)).length);
    response.end('ok');
  });
  for (const size of [1, 2 * MIB]) {
    const request = new ClientRequest(url(server), { method: 'PUT', body: new Uint8Array(size) });
    expect(await (await tested.fetch(request)).text()).toBe('ok');
  }
  expect([bodies, asked]).toEqual([[1, 2 * MIB], 3]);
});

describe.each(['h2', 'http/1.1'] as const)('client.Request over %s', protocol => {
  it('has a stream held back by a server that does not read', async () => {
    await start(protocol, () => {});
    const upload = endless();
    const request = new ClientRequest(url(server), { method: 'POST', body: upload.stream });
    const aborting = new AbortController();
    const failed = rejection(tested.fetch(request, { signal: aborting.signal }));
    expect(await settled(upload)).toBeLessThan(12 * MIB);
    aborting.abort('enough');
    expect(await failed).toBe('enough');
    await until(() => upload.cancelled !== undefined);
  });
});

describe('an upload over http/1.1', () => {
  it('does not begin on a connection that is just being given up', async () => {
    await start('http/1.1', (_request, response) => void response.end('ok'));
    const { connection: shown, body } = await tested.pool.send({
      method: 'GET',
      url: new URL(url(server)),
      headers: [],
    });
    expect(await new Response(body).text()).toBe('ok');
    const connection = shown as HttpConnection;
    await until(() => connection.available);
    // As an exchange tells that it was refused. The connection itself is ended a little later.
    connection.onExchangeOver({} as Exchange, false);
    expect(connection.available).toBe(false);
  });

  it.each([
    ['a large one', 64 * KIB, 2],
    ['a small one', 16 * KIB, 1],
  ])('that is refused may end its connection unannounced: %s', async (_name, bytes, connections) => {
    // Once it has refused a large one, it hangs up, but so late that it gets another request first.
    server = await serveRaw(socket => {
      let text = '';
      let refused = false;
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        const [head, body] = text.split('\r\n\r\n');
        if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head ?? '')?.[1]))
          return;
        text = '';
        if (refused && bytes > 16 * KIB) socket.destroy();
        const status = head?.startsWith('POST /small') ? '200 OK' : '401 Unauthorized';
        socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\nhm`);
        refused = true;
      });
    });
    tested = await client('http/1.1');
    const refused = await tested.fetch(url(server), { method: 'POST', body: new Uint8Array(bytes) });
    expect(refused.status).toBe(401);
    expect(await refused.text()).toBe('hm');
    const next = await tested.fetch(url(server, '/small'), { method: 'POST', body: 'small' });
    expect(next.status).toBe(200);
    expect(await next.text()).toBe('hm');
    expect(tested.connects.count).toBe(connections);
  });

  it('is given up with its connection when the answer is complete and nobody reads it', async () => {
    server = await serveRaw(socket => {
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 4\r\n\r\nfull');
      });
    });
    tested = await client('http/1.1');
    const upload = endless();
    const response = await tested.fetch(url(server), { method: 'POST', body: upload.stream });
    expect(response.status).toBe(507);
    expect(await response.text()).toBe('full');
    await until(() => upload.cancelled !== undefined && tested.engine.openCount === 0);
  });
});
