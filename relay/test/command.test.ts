import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createWebSocketTunnel } from '../../src/tunnel/websocket-tunnel.js';
import { LIMITS } from '../src/limits.js';
import { type RunningCommand, useBuiltCommand } from './support/built-command.js';
import { startDns } from './support/dns-server.js';
import { connect, ORIGIN, pageWebSocket, sleep, startEcho, startRelay, until } from './support/harness.js';
import { TestPage } from './support/test-page.js';

const start = useBuiltCommand();
const JWT = ['--jwt-issuer', 'a', '--jwt-audience', 'b'];

async function urlOf(command: RunningCommand): Promise<string> {
  await until(() => command.output.stdout.includes('listens on'));
  return /ws:\S+/.exec(command.output.stdout)?.[0] ?? '';
}

test('it relays, logs without payload or token, and stops cleanly', async () => {
  const echo = await startEcho();
  const flags = ['--listen', '127.0.0.1:0', '--allow', 'x.test:1', '--allow', `localhost:${echo.port}`];
  const command = start([...flags, '--origin', ORIGIN], {
    RELAY_TOKEN: 'other-token-of-pages,page:s3cret-s3cret-s3cret',
  });
  const url = await urlOf(command);
  const tunnel = createWebSocketTunnel(url, { token: 's3cret-s3cret-s3cret', WebSocket: pageWebSocket() });
  const { reader, writer } = await connect(tunnel, echo.port, 'localhost');
  await writer.write(new TextEncoder().encode('payload'));
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('payload');
  command.child.kill('SIGTERM');
  const { code, stdout, stderr } = await command.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('admitted connection=1 subject="page"');
  expect(stdout).toContain(`stream-opened connection=1 stream=1 target="localhost:${echo.port}"`);
  expect(stdout).toContain('code=1001');
  expect(stdout).not.toMatch(/s3cret|payload/);
  await expect(reader.read()).rejects.toMatchObject({ message: expect.stringContaining('shutting down') });
});

test('--dns-server is asked for the addresses of names', async () => {
  const echo = await startEcho();
  const dns = await startDns({ 'a.test': { addresses: ['127.0.0.1'] } });
  const targets = [`a.test:${echo.port}`, `127.0.0.1:${echo.port}`].flatMap(target => ['--allow', target]);
  const flags = ['--listen', '127.0.0.1:0', '--dns-server', dns.address, '--origin', ORIGIN];
  const tunnel = createWebSocketTunnel(await urlOf(start([...flags, ...targets])), {
    WebSocket: pageWebSocket(),
  });
  const { reader, writer } = await connect(tunnel, echo.port, 'a.test');
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
});

test('SIGINT stops it, and --quiet keeps it quiet', async () => {
  const { relay } = await startRelay({});
  const { port } = relay.address;
  await relay.close();
  const command = start(['--listen', `127.0.0.1:${port}`, '--quiet']);
  let listening = false;
  while (!listening) {
    listening = await fetch(`http://127.0.0.1:${port}`).then(
      () => true,
      () => sleep(20).then(() => false),
    );
  }
  command.child.kill('SIGINT');
  expect(await command.ended).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('it goes on when its log cannot be written, and says so once', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({});
  const listen = `127.0.0.1:${relay.address.port}`;
  await relay.close();
  const flags = ['--listen', listen, '--allow', `127.0.0.1:${echo.port}`, '--origin', ORIGIN];
  const command = start(flags, {}, { stdout: '/dev/full' });
  await until(() => command.output.stderr.includes('the log ends here'));
  for (let count = 0; count < 3; count++) {
    const tunnel = createWebSocketTunnel(`ws://${listen}/`, { WebSocket: pageWebSocket() });
    const { reader, writer } = await connect(tunnel, echo.port);
    await writer.write(Uint8Array.of(1));
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    tunnel.close();
  }
  command.child.kill('SIGTERM');
  const { code, stderr } = await command.ended;
  expect(code).toBe(0);
  expect(stderr.match(/the log ends here/g)).toHaveLength(1);
});

test('an argument without a flag, which may be a token, is not repeated', async () => {
  const { code, stderr } = await start(['--token=', 's3cret-s3cret-s3cret']).ended;
  expect(code).toBe(2);
  expect(stderr).toContain('must be flags');
  expect(stderr).not.toContain('s3cret');
});

test('it stops within seconds although a thousand pages are connected, of which some answer nothing', async () => {
  const echo = await startEcho();
  const unlimited = ['new-connections-per-second', 'new-streams-per-second-per-address'].flatMap(name => [
    `--${name}`,
    '0',
  ]);
  const most = ['max-connections-per-address', 'max-unproven', 'max-unproven-per-address'].flatMap(name => [
    `--${name}`,
    '2000',
  ]);
  const command = start([
    ...['--listen', '127.0.0.1:0', '--origin', ORIGIN, '--allow', `127.0.0.1:${echo.port}`],
    ...[...unlimited, ...most],
  ]);
  const url = await urlOf(command);
  const pages: TestPage[] = [];
  for (let count = 0; count < 20; count++)
    pages.push(...(await Promise.all(Array.from({ length: 50 }, () => TestPage.open({ url })))));
  for (const page of pages) page.open(1, echo.port);
  await Promise.all(pages.map(page => page.opened(1)));
  const [deaf, others] = [pages.slice(0, 100), pages.slice(100)];
  for (const { webSocket } of deaf) webSocket.pause();
  const closed = Promise.all(others.map(page => page.closed()));
  command.child.kill('SIGTERM');
  expect(new Set((await closed).map(({ code }) => code))).toEqual(new Set([1001]));
  const { code, stdout } = await command.ended;
  expect(code).toBe(0);
  expect(stdout.match(/closed connection=\d+ code=1001/g)).toHaveLength(1000);
}, 60_000);

test('it goes on when nobody reads its log any more', async () => {
  const echo = await startEcho();
  const flags = ['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${echo.port}`, '--origin', ORIGIN];
  const command = start(flags);
  const tunnel = createWebSocketTunnel(await urlOf(command), { WebSocket: pageWebSocket() });
  command.child.stdout?.destroy();
  for (let count = 0; count < 3; count++) {
    const { reader, writer } = await connect(tunnel, echo.port);
    await writer.write(Uint8Array.of(1));
    expect((await reader.read()).value).toEqual(Uint8Array.of(1));
    await sleep(20);
  }
});

test('a taken port is one clear line and exit code 1', async () => {
  const { relay } = await startRelay({});
  const listen = `127.0.0.1:${relay.address.port}`;
  const { code, stdout, stderr } = await start(['--listen', listen, '--allow', 'a:1']).ended;
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(`${listen} is taken`);
});

test('--help documents every flag and the environment', async () => {
  const { code, stdout } = await start(['--help']).ended;
  expect(code).toBe(0);
  const source = await readFile('relay/src/command-line.ts', 'utf8');
  const flags = [...source.matchAll(/^ {2}'?([a-z-]+)'?: \{ type:/gm)].map(match => `--${match[1]}`);
  flags.push(...Object.values(LIMITS).map(({ flag }) => `--${flag} `));
  expect(flags.length).toBeGreaterThan(9);
  for (const flag of flags) expect(stdout).toContain(flag);
  expect(stdout).toContain('RELAY_TOKEN');
});

test('--version is that of the package', async () => {
  const { version } = JSON.parse(await readFile('relay/package.json', 'utf8'));
  expect((await start(['--version']).ended).stdout).toBe(`${version}\n`);
});

test.each([
  ['an unknown flag', ['--alow', 'a:1'], '--alow'],
  ['a target without a port', ['--allow', 'example.com'], 'host:port'],
  ['a resolver that does not exist', ['--resolver', 'hosts'], '"resolver"'],
  ['a name for a DNS server', ['--dns-server', 'dns.test'], '"dnsServers" must be addresses'],
  ['a NAT64 prefix of another length', ['--nat64-prefix', '2001:db8::/80'], '"nat64Prefixes" must'],
  ['an origin with a path', ['--origin', 'https://a.test/x'], 'origin'],
  [
    'a word for a number',
    ['--idle-timeout', 'never'],
    '"--idle-timeout" must be a number of seconds from 0 to',
  ],
  ['a fraction of a stream', ['--max-streams', '1.5'], '"--max-streams" must be an integer from 1 to 65535'],
  ['too few bytes a second', ['--bytes-per-second', '1'], 'from 16384 to 2147483647, or 0'],
  ['a file that does not exist', ['--token-file', '/no/such/file'], '"--token-file" must name a file'],
  ['a folder for a file', ['--token-file', '/'], '"/" cannot (EISDIR)'],
  ['no file of keys', [...JWT, '--jwt-key-file', '/no/such/file'], '"--jwt-key-file" must name a file'],
  ['no file of a secret', [...JWT, '--jwt-secret-file', '/no/such/file'], '"--jwt-secret-file" must name'],
  ['a bad address', ['--listen', '8080'], 'host:port'],
])('%s is exit code 2 with a hint', async (_name, args, hint) => {
  const { code, stderr } = await start(args).ended;
  expect(code).toBe(2);
  expect(stderr).toContain(hint);
  expect(stderr).toContain('--help');
});

test('a RELAY_TOKEN that is empty lets nobody in', async () => {
  const { code, stderr } = await start(['--listen', '127.0.0.1:0'], { RELAY_TOKEN: '' }).ended;
  expect(code).toBe(2);
  expect(stderr).toContain('RELAY_TOKEN');
});

test('it warns when it will deny everything', async () => {
  const command = start(['--listen', '127.0.0.1:0']);
  await urlOf(command);
  await until(() => command.output.stderr.includes('--origin'));
  expect(command.output.stderr).toContain('--allow');
});
