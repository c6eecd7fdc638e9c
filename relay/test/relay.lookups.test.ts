import { expect, test } from 'vitest';
import { startDns } from './support/dns-server.js';
import { connect, pageWebSocket, startEcho, startRelay, tunnelTo, until } from './support/harness.js';
import { TestPage } from './support/test-page.js';

const SLOW = Array.from({ length: 40 }, (_, index) => `slow${index}.test`);

test('names whose DNS is slow, asked for by 40 pages that leave at once, hold up nobody', async () => {
  const echo = await startEcho();
  const dns = await startDns({
    ...Object.fromEntries(SLOW.map(name => [name, undefined])),
    'fast.test': { addresses: ['127.0.0.1'] },
  });
  const { relay } = await startRelay({
    allow: [`*.test:${echo.port}`, `127.0.0.1:${echo.port}`],
    dnsServers: [dns.address],
  });
  const startedAt = performance.now();
  for (const name of SLOW) {
    const { reader } = await connect(tunnelTo(relay), echo.port, name);
    await until(() => dns.questions.some(question => question.name === name));
    await reader.cancel();
  }
  const { reader, writer } = await connect(tunnelTo(relay), echo.port, 'fast.test');
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  // A lookup that goes on without its page takes six seconds.
  expect(performance.now() - startedAt).toBeLessThan(5000);
});

test('beyond 256 lookups of an address a stream is refused with the limit’s name, and other addresses have theirs', async () => {
  const echo = await startEcho();
  const dns = await startDns({
    ...Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`slow${index + 1}.test`, undefined])),
    'fast.test': { addresses: ['127.0.0.1'] },
  });
  const { relay } = await startRelay({
    ...{ allow: [`*.test:${echo.port}`, `127.0.0.1:${echo.port}`], dnsServers: [dns.address] },
    ...{ maxStreams: 300, newStreamsPerSecond: 0 },
  });
  const page = await TestPage.open(relay);
  await page.welcome();
  for (let stream = 1; stream <= 257; stream++) page.open(stream, echo.port, `slow${stream}.test`);
  expect(await page.reset(257)).toMatchObject({ code: 3, reason: 'lookups' });
  expect(page.frames.filter(({ type }) => type === 'reset')).toHaveLength(1);
  const WebSocket = pageWebSocket(undefined, { localAddress: '127.0.0.2' });
  const { reader, writer } = await connect(tunnelTo(relay, { WebSocket }), echo.port, 'fast.test');
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
});

test('an address that policy denies is told as a denial, and logged with its kind', async () => {
  const dns = await startDns({ 'metadata.test': { addresses: ['169.254.169.254', 'fd00:ec2::254'] } });
  const { relay, events } = await startRelay({ allow: ['metadata.test:*'], dnsServers: [dns.address] });
  const { reader } = await connect(tunnelTo(relay), 80, 'metadata.test');
  await expect(reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_DENIED' });
  await until(() => events.some(event => event.type === 'stream-closed'));
  expect(JSON.stringify(events)).toContain(
    'metadata.test:80 at fd00:ec2::254 (metadata), 169.254.169.254 (metadata)',
  );
});

test('a relay may ask the system instead', async () => {
  const echo = await startEcho();
  const { relay } = await startRelay({
    allow: [`localhost:${echo.port}`, '*.invalid:*'],
    resolver: 'system',
  });
  const { reader, writer } = await connect(tunnelTo(relay), echo.port, 'localhost');
  await writer.write(Uint8Array.of(1));
  expect((await reader.read()).value).toEqual(Uint8Array.of(1));
  const none = await connect(tunnelTo(relay), echo.port, 'no-such-host.invalid');
  await expect(none.reader.read()).rejects.toMatchObject({ code: 'ERR_TUNNEL_UNREACHABLE' });
});
