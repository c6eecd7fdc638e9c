import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { importFrom, type PasswordQuestion } from '../../../src/index.js';
import { codeOf } from '../../support/client.js';
import { engineModule } from '../../support/engine.js';
import { OpensslPki } from '../../support/openssl-pki.js';
import { writePkcs12 } from '../../support/pkcs12.js';
import { freePort } from '../../support/process.js';

const engine = engineModule();
const PASSWORD = 'correct horse';
let server: Server;
let url: string;
let file: Uint8Array;
let answer: RequestListener;
let requests: IncomingMessage[];

beforeAll(async () => {
  const pki = new OpensslPki();
  file = writePkcs12(pki.issue({ subject: '/CN=Ada' }), { password: PASSWORD });
  pki.close();
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/identity`;
});
afterAll(() => server.close());

beforeEach(() => {
  requests = [];
  answer = (_, response) => response.end(file);
});

const refusing =
  (status: number, body: string): RequestListener =>
  (_, response) => {
    response.writeHead(status).end(body);
  };

it('opens the file of a service', async () => {
  const headers = { authorization: 'Bearer t' };
  const { identities } = await importFrom(url, {
    password: PASSWORD,
    engine,
    request: { method: 'POST', headers },
  });
  expect(identities[0]?.certificate.subject).toBe('CN=Ada');
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({ method: 'POST', url: '/identity', headers });
});

it('asks for the password as long as it is wrong, and fetches once', async () => {
  const asked: PasswordQuestion[] = [];
  const passwords = ['wrong', '', PASSWORD];
  const { identities } = await importFrom(url, {
    engine,
    askPassword: question => {
      asked.push(question);
      return passwords[question.attempt - 1];
    },
  });
  expect(identities).toHaveLength(1);
  const error = expect.objectContaining({ code: 'ERR_P12_PASSWORD' });
  expect(asked).toEqual([{ attempt: 1 }, { attempt: 2, error }, { attempt: 3, error }]);
  expect(requests).toHaveLength(1);
});

it('asks for the password of the key when it has one of its own', async () => {
  const key = await readFile(new URL('../../support/producers/found/java-key-password.p12', import.meta.url));
  answer = (_, response) => response.end(key);
  const asked: PasswordQuestion[] = [];
  const passwords = ['geheim', 'wrong', 'otherpass'];
  const askPassword = (question: PasswordQuestion) => {
    asked.push(question);
    return passwords.shift();
  };
  const { identities } = await importFrom(url, { engine, askPassword });
  expect(identities).toHaveLength(1);
  const error = expect.objectContaining({ code: 'ERR_P12_KEY_PASSWORD' });
  expect(asked).toEqual([{ attempt: 1 }, { of: 'key', attempt: 1, error }, { of: 'key', attempt: 2, error }]);
  expect(requests).toHaveLength(1);

  const declined = importFrom(url, { engine, password: 'geheim', askPassword: () => undefined });
  expect(await codeOf(declined)).toBe('ERR_P12_KEY_PASSWORD');
});

it('asks when the given password is wrong', async () => {
  const askPassword = vi.fn(async () => PASSWORD);
  await importFrom(url, { engine, password: 'wrong', askPassword });
  expect(askPassword.mock.calls).toEqual([[{ attempt: 1, error: expect.any(Error) }]]);
});

it.each([
  {},
  { askPassword: () => undefined },
  { password: 'wrong' },
  { password: 'wrong', askPassword: () => undefined },
])('without a password that opens it, says so: %j', async options => {
  expect(await codeOf(importFrom(url, { engine, ...options }))).toBe('ERR_P12_PASSWORD');
});

it.each([
  [401, '{"message":"who are you?"}', 'ERR_ENROLL_REJECTED', 'who are you?'],
  [403, '{"detail":"not\\nyou"}', 'ERR_ENROLL_REJECTED', 'not you'],
  [404, '<html>not here</html>', 'ERR_ENROLL_REJECTED', ''],
  [500, 'x'.repeat(1000), 'ERR_ENROLL_REJECTED', `${'x'.repeat(300)}…`],
  [502, 'bad gateway', 'ERR_ENROLL_UNREACHABLE', 'bad gateway'],
  [503, 'null', 'ERR_ENROLL_UNREACHABLE', ''],
])('tells of HTTP %d', async (status, body, code, message) => {
  answer = refusing(status, body);
  const text = `The service answered ${status}${message && `: ${message}`}`;
  await expect(importFrom(url, { engine })).rejects.toMatchObject({
    code,
    message: text,
    cause: { status, message },
  });
});

it('tells of a service that is not there, or ends in the middle', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}/`;
  expect(await codeOf(importFrom(nowhere, { engine }))).toBe('ERR_ENROLL_UNREACHABLE');
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 100));
    setTimeout(() => response.destroy(), 20);
  };
  expect(await codeOf(importFrom(url, { engine }))).toBe('ERR_ENROLL_UNREACHABLE');
});

it('does not read more than a file can have', async () => {
  let sent = 0;
  answer = (_, response) => {
    const chunk = new Uint8Array(1 << 20);
    const write = () => {
      sent++;
      if (!response.destroyed && sent < 200) response.write(chunk, write);
    };
    write();
  };
  expect(await codeOf(importFrom(url, { engine }))).toBe('ERR_P12_MALFORMED');
  expect(sent).toBeLessThan(50);
  answer = (_, response) => response.end(file);
  const limits = { maxFileBytes: 100 };
  expect(await codeOf(importFrom(url, { engine, limits }))).toBe('ERR_P12_MALFORMED');
});

it('names what is not a .p12', async () => {
  answer = refusing(200, '<!doctype html><title>Sign in</title>');
  expect(await codeOf(importFrom(url, { engine, password: PASSWORD }))).toBe('ERR_P12_MALFORMED');
});

it('gives the reason of an abort, while it fetches and while it asks', async () => {
  const reason = new Error('changed my mind');
  const fetching = new AbortController();
  answer = () => fetching.abort(reason);
  await expect(importFrom(url, { engine, signal: fetching.signal })).rejects.toBe(reason);

  answer = (_, response) => response.end(file);
  const asking = new AbortController();
  const askPassword = () => {
    asking.abort(reason);
    return PASSWORD;
  };
  await expect(importFrom(url, { engine, signal: asking.signal, askPassword })).rejects.toBe(reason);
  const signal = AbortSignal.timeout(50);
  const never = () => new Promise<string>(() => {});
  await expect(importFrom(url, { engine, signal, askPassword: never })).rejects.toThrow('timeout');
});

it.each(['http://ada:secret@127.0.0.1/', 'nothing', 'file:///etc/passwd', 'data:,x'])(
  'refuses the address %s',
  async address => {
    await expect(importFrom(address, { engine })).rejects.toThrow(TypeError);
  },
);
