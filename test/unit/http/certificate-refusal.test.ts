import { describe, expect, it } from 'vitest';
import { client, rejection, serve, type TestClient, type TestServer, url } from './support/servers.js';

let tested: TestClient;
let server: TestServer;

describe("nginx's refusal of a client certificate", () => {
  const page = (title: string) =>
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body>\r\n</html>\r\n`;
  const missing = page('400 No required SSL certificate was sent');
  const rejected = page('400 The SSL certificate error');

  const answer = async (body: string, sent: boolean, headers: Record<string, string | number> = {}) => {
    server = await serve('h2', (_, response) => {
      response
        .writeHead(400, { 'content-type': 'text/html', 'content-length': body.length, ...headers })
        .end(body);
    });
    tested = await client('h2', {
      transport: { clientCertificateRequested: true, clientCertificateSent: sent },
    });
    return tested.fetch(url(server));
  };

  it('is told by its code', async () => {
    expect((await rejection(answer(missing, false))).code).toBe('ERR_TLS_CLIENT_CERT_REQUIRED');
    tested.close();
    await server.close();
    expect((await rejection(answer(rejected, true))).code).toBe('ERR_TLS_CLIENT_CERT_REJECTED');
  });

  it('any other 400 passes untouched', async () => {
    const bodies: [string, Record<string, string | number>?][] = [
      [page('400 Bad Request')],
      [missing, { 'content-type': 'text/plain' }],
      [missing.padEnd(3000)],
    ];
    for (const [body, headers] of bodies) {
      const response = await answer(body, false, headers);
      expect(response.status).toBe(400);
      expect(await response.text()).toBe(body);
      tested.close();
      await server.close();
    }
    await answer('', false);
  });
});
