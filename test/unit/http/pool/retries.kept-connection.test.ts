import { describe, expect, it } from 'vitest';
import {
  answering,
  client,
  ok,
  rejection,
  type TestClient,
  type TestServer,
  until,
  url,
} from '../support/servers.js';

let tested: TestClient;
let server: TestServer;

describe('sending again', () => {
  it('a kept connection that died is replaced, where that does no harm', async () => {
    const requests: string[] = [];
    server = await answering((socket, connection, request) => {
      requests.push(`${connection} ${request.split(' ')[0]}`);
      // Each connection answers once, and ends at the second request.
      if (requests.filter(it => it.startsWith(`${connection} `)).length === 1) socket.write(ok);
      else socket.end();
    });
    tested = await client('http/1.1');
    const get = async (method: string, body?: BodyInit) =>
      (await tested.fetch(url(server), { method, ...(body ? { body } : {}) })).text();
    expect(await get('GET')).toBe('ok');
    expect(await get('GET')).toBe('ok');
    expect(requests).toEqual(['1 GET', '1 GET', '2 GET']);
    expect(await get('PUT', 'again')).toBe('ok');
    expect(requests.slice(3)).toEqual(['2 PUT', '3 PUT']);
    const stream = new Blob(['once']).stream();
    expect((await rejection(get('PUT', stream))).code).toBe('ERR_HTTP_CLOSED');
    expect(requests.slice(5)).toEqual(['3 PUT']);
    expect(await get('GET')).toBe('ok');
    expect((await rejection(get('POST', 'never twice'))).code).toBe('ERR_HTTP_CLOSED');
    expect(requests.slice(6)).toEqual(['4 GET', '4 POST']);
  });

  it('is done once only', async () => {
    server = await answering((socket, connection, request) => {
      if (connection === 1 && request.startsWith('GET /first')) socket.write(ok);
      else socket.end();
    });
    tested = await client('http/1.1');
    await (await tested.fetch(url(server, '/first'))).text();
    expect((await rejection(tested.fetch(url(server)))).code).toBe('ERR_HTTP_CLOSED');
    expect(tested.connects.count).toBe(2);
  });

  it('a connection that the server closed while idle is not used', async () => {
    server = await answering(socket => socket.write(ok));
    tested = await client('http/1.1');
    const post = async () => (await tested.fetch(url(server), { method: 'POST', body: 'x' })).text();
    expect(await post()).toBe('ok');
    for (const socket of server.sockets) socket.end();
    await until(() => tested.engine.openCount === 0);
    expect(await post()).toBe('ok');
    expect(tested.connects.count).toBe(2);
  });

  it('a connection that was cut while idle is not used', async () => {
    server = await answering(socket => socket.write(ok));
    tested = await client('http/1.1');
    await (await tested.fetch(url(server))).text();
    for (const socket of server.sockets) socket.resetAndDestroy();
    await until(() => tested.engine.openCount === 0);
    expect(await (await tested.fetch(url(server), { method: 'POST' })).text()).toBe('ok');
  });
});
