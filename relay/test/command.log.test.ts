import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { LogOutput } from '../src/output.js';
import { useBuiltCommand } from './support/built-command.js';
import { UPGRADE, until } from './support/harness.js';

const start = useBuiltCommand();

/** A TCP connection, once it stands or has failed. */
async function dial(port: number): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
  });
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  return socket;
}

test('lines that nobody reads are dropped and counted', () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  const output = new LogOutput(stream);
  for (let index = 0; index < 2500; index++) output.write(`${'x'.repeat(999)}\n`);
  expect(stream.writableLength + stream.readableLength).toBeLessThan(1_060_000);
  let read = '';
  stream.on('data', chunk => {
    read += chunk;
  });
  return until(() => /dropped lines=14\d\d\n/.test(read));
});

test('a log that nobody reads costs the command no memory, and the reader is told what it missed', {
  timeout: 60_000,
}, async () => {
  const command = start(
    ['--listen', '127.0.0.1:0', '--new-connections-per-second', '0', '--max-unproven-per-address', '500'],
    {},
  );
  await until(() => command.output.stdout.includes('listens on'));
  const port = Number(/:(\d+)\//.exec(command.output.stdout)?.[1]);
  command.child.stdout?.pause();
  const upgrade = UPGRADE.replace('http://page.test', `http://${'o'.repeat(3000)}`);
  for (let round = 0; round < 60; round++) {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(port)));
    await Promise.all(sockets.map(socket => new Promise(resolve => socket.write(upgrade, resolve))));
    await Promise.all(sockets.map(socket => Promise.race([once(socket, 'data'), once(socket, 'close')])));
    for (const socket of sockets) socket.destroy();
  }
  command.child.stdout?.resume();
  await until(() => command.output.stdout.includes('dropped lines='));
});

test('when file descriptors run out it says so, goes on, and says when there are some again', async () => {
  const running = start(
    ['--listen', '127.0.0.1:0', '--max-unproven-per-address', '500'],
    {},
    { descriptors: 80 },
  );
  await until(() => running.output.stdout.includes('listens on'));
  const port = Number(/:(\d+)\//.exec(running.output.stdout)?.[1]);
  const sockets = await Promise.all(Array.from({ length: 120 }, () => dial(port)));
  await until(() => running.output.stdout.includes('no file descriptors are left (EMFILE)'));
  for (const socket of sockets) socket.destroy();
  await until(() => running.output.stdout.includes('file descriptors are free again'));
  const socket = await dial(port);
  socket.write(UPGRADE);
  expect(String((await once(socket, 'data'))[0])).toContain('HTTP/1.1 101');
});
