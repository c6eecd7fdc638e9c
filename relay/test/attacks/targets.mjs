// What an attacker has beside its pages: targets, a DNS server and an issuer of keys, in a process of their own. They stay when
// the attacker goes.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { startDns } from './dns.mjs';
import { startIssuer } from './issuer.mjs';

const CHUNK = Buffer.alloc(65_536, 'x');

/** What a target does with a connection. */
const behaviours = {
  echo: socket => socket.pipe(socket),
  /** Reads, and answers nothing; does not even end. */
  silent: socket => socket.resume(),
  /** Never reads. */
  stuck: socket => socket.pause(),
  endless: socket => {
    const more = () => {
      while (!socket.destroyed && socket.write(CHUNK));
    };
    socket.on('drain', more).resume();
    more();
  },
  /** A byte in each TCP segment. */
  crumbs: socket => {
    const timer = setInterval(() => socket.write('x'), 2);
    socket.on('close', () => clearInterval(timer)).resume();
  },
  /** The header of a record, and some of it. */
  halfRecords: socket => {
    socket.resume();
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(timer));
    socket.write(Buffer.concat([Buffer.of(23, 3, 3, 0x40, 0), CHUNK.subarray(0, 15_000)]));
  },
  /** In the middle of what it has to say. */
  resets: socket => {
    socket.on('data', () => socket.write(CHUNK.subarray(0, 10_000), () => socket.resetAndDestroy()));
  },
  ends: socket => {
    socket.resume();
    socket.end(CHUNK.subarray(0, 100));
  },
};

async function listen(behave) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    socket.on('error', () => {});
    behave(socket);
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return server.address().port;
}

/** A port where nobody listens. */
async function refusingPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

const ports = { refusing: await refusingPort() };
for (const [name, behave] of Object.entries(behaviours)) ports[name] = await listen(behave);
process.send({ targets: ports, dns: await startDns(), issuer: await startIssuer() });
