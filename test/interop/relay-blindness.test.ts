import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { createRelay } from '../../relay/src/index.js';
import { useBuiltCommand } from '../../relay/test/support/built-command.js';
import { until } from '../../relay/test/support/harness.js';
import { clientOf } from '../support/client.js';
import { startNodeServer } from '../support/node-server.js';
import { OpensslPki } from '../support/openssl-pki.js';

const pki = new OpensslPki('Test CA');
const server = pki.issue({ subject: '/CN=localhost', altNames: 'DNS:localhost', usage: 'serverAuth' });
const pair = pki.issue({ subject: '/CN=Client', usage: 'clientAuth' });
const start = useBuiltCommand();
afterAll(() => pki.close());

const secret = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;

/** What a request says and its answer repeats: each of them is random, so that it is found where it was seen and nowhere else. */
const secrets = { path: secret('path'), header: secret('header'), body: secret('body') };
const words = [...Object.values(secrets), 'POST /', 'HTTP/1.1', 'application/x-blindness'];

async function exchange(url: string, protocol: 'h2' | 'http/1.1'): Promise<void> {
  const options = { server, clientCa: pki.ca.cert, http2: protocol === 'h2' };
  const target = await startNodeServer(options);
  onTestFinished(() => target.stop());
  const client = await clientOf({ relay: { url }, ca: pki.ca.cert, identities: [pair] });
  onTestFinished(() => client.close());
  const body = secrets.body.repeat(10_000);
  const response = await client.fetch(`https://localhost:${target.port}/echo?${secrets.path}`, {
    method: 'POST',
    headers: { 'x-secret': secrets.header, 'content-type': 'application/x-blindness' },
    body,
  });
  expect(await response.text()).toBe(body);
}

/** Which of the texts stand in the memory of a process. */
async function inMemory(pid: number, texts: string[]): Promise<string[]> {
  const maps = (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n');
  const memory = await open(`/proc/${pid}/mem`);
  const found = new Set<string>();
  for (const line of maps) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined || to === undefined) continue;
    const bytes = await readRange(memory, Number.parseInt(from, 16), Number.parseInt(to, 16));
    for (const text of texts) if (bytes.includes(text)) found.add(text);
  }
  await memory.close();
  return texts.filter(text => found.has(text));
}

async function readRange(
  memory: Awaited<ReturnType<typeof open>>,
  from: number,
  to: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from);
  // Pages that do not exist cannot be read.
  const { bytesRead } = await memory.read(bytes, 0, bytes.length, from).catch(() => ({ bytesRead: 0 }));
  return bytes.subarray(0, bytesRead);
}

describe.each(['h2', 'http/1.1'] as const)('over %s', protocol => {
  test('no request line, header or body is in what the relay passes on', async () => {
    const passed: Buffer[] = [];
    const relay = await createRelay({
      ...{ allow: ['localhost:*'], origins: ['*'] },
      observeBytes: (_direction, bytes) => passed.push(Buffer.from(bytes)),
    });
    onTestFinished(() => relay.close());
    await exchange(relay.url, protocol);
    const all = Buffer.concat(passed);
    expect(words.filter(word => all.includes(word))).toEqual([]);
    // It is the exchange that was looked at: the body went both ways, and the ClientHello names the host.
    expect(all.length).toBeGreaterThan(2 * 10_000 * secrets.body.length);
    expect(all.includes('localhost')).toBe(true);
  });

  test('nor is it in the memory of the relay’s process', async () => {
    const flags = ['--listen', '127.0.0.1:0', '--allow', 'localhost:*', '--origin', '*'];
    const command = start(flags);
    await until(() => command.output.stdout.includes('listens on'));
    await exchange(/ws:\S+/.exec(command.output.stdout)?.[0] ?? '', protocol);
    const pid = command.child.pid ?? 0;
    const target = /target="(localhost:\d+)"/.exec(command.output.stdout)?.[1] ?? '';
    expect(target).not.toBe('');
    // Words of HTTP are in the program itself.
    expect(await inMemory(pid, [...Object.values(secrets), target])).toEqual([target]);
  });
});
