import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { openTargetSocket } from '../../../src/policy/connection/target-socket.js';
import { connect, startRelay, startTarget, tunnelTo } from '../../support/harness.js';

/** Node cannot read socket options. A child process shares the socket's descriptor and can; each Debian has this much Perl. */
const READ_OPTIONS = `use Socket qw(:all);
  open(my $socket, '+<&=3') or die $!;
  sub option { unpack('i', getsockopt($socket, $_[0], $_[1])) ? 'true' : 'false' }
  printf '{"noDelay":%s,"keepAlive":%s}', option(IPPROTO_TCP, TCP_NODELAY), option(SOL_SOCKET, SO_KEEPALIVE);`;

async function socketOptions(socket: Socket): Promise<{ noDelay: boolean; keepAlive: boolean }> {
  const child: ChildProcess = spawn('perl', ['-e', READ_OPTIONS], {
    stdio: ['ignore', 'pipe', 'inherit', socket],
  });
  if (!child.stdout) throw new Error('perl has no output');
  return JSON.parse(await text(child.stdout));
}

test('TCP_NODELAY and SO_KEEPALIVE are set on a socket to a target', async () => {
  const target = await startTarget(() => {});
  const socket = await openTargetSocket('127.0.0.1', target.port, {
    listener: { buffer: new Uint8Array(1024), onBytes: () => true, onWriteFailed: () => {} },
    signal: new AbortController().signal,
  });
  onTestFinished(() => {
    socket.destroy();
  });
  expect(await socketOptions(socket)).toEqual({ noDelay: true, keepAlive: true });
  // The reader is able to tell the difference.
  expect(await socketOptions(socket.setNoDelay(false).setKeepAlive(false))).toEqual({
    noDelay: false,
    keepAlive: false,
  });
});

/** Rounds of two small writes and a read: with Nagle's algorithm the second write waits for the delayed ACK of the first. */
async function medianRoundMs(write: () => unknown, read: () => Promise<unknown>): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 15; round++) {
    const startedAt = performance.now();
    await write();
    await write();
    await read();
    rounds.push(performance.now() - startedAt);
  }
  return rounds.sort((a, b) => a - b)[7] ?? Number.NaN;
}

test('two small writes and a read take less than half the time through the relay that they take directly with Nagle’s algorithm', async () => {
  const target = await startTarget(socket => {
    let received = 0;
    socket.on('data', bytes => {
      received += bytes.length;
      if (received % 200 === 0) socket.write('!');
    });
  });
  const direct = connectTcp(target.port, '127.0.0.1').setNoDelay(false);
  onTestFinished(() => {
    direct.destroy();
  });
  await once(direct, 'connect');
  const { relay } = await startRelay({ allow: [`127.0.0.1:${target.port}`] });
  const { reader, writer } = await connect(tunnelTo(relay), target.port);
  const bytes = new Uint8Array(100);
  const nagleMs = await medianRoundMs(
    () => new Promise(resolve => direct.write(bytes, resolve)),
    () => once(direct, 'data'),
  );
  const relayedMs = await medianRoundMs(
    () => writer.write(bytes),
    () => reader.read(),
  );
  expect(relayedMs).toBeLessThan(nagleMs / 2);
});
