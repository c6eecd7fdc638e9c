// What an attacker has beside its pages: targets, a DNS server and an issuer of keys, in a process of their own. They stay when
// the attacker goes.

import { generateKeyPairSync } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';

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

// The DNS server: what it says depends on a name's first word.

const MISSING = 3;
const FAILED = 2;
const rebound = new Map();
const answers = {
  missing: () => ({ rcode: MISSING }),
  failing: () => ({ rcode: FAILED }),
  loopback: () => ({ address: [127, 0, 0, 1] }),
  metadata: () => ({ address: [169, 254, 169, 254] }),
  rebound: name => {
    rebound.set(name, !rebound.get(name));
    return { address: rebound.get(name) ? [192, 0, 2, 1] : [127, 0, 0, 1] };
  },
};

function answer(message) {
  const name = message.subarray(13, 13 + message[12]).toString('latin1');
  const words = /^[a-z]+/.exec(name)?.[0] ?? '';
  const { rcode = 0, address } = answers[words]?.(name) ?? {};
  if (!(words in answers)) return undefined;
  const questionEnd = message.indexOf(0, 12) + 5;
  const isA = message.readUInt16BE(questionEnd - 4) === 1;
  const record =
    address && isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address]) : Buffer.alloc(0);
  const head = Buffer.from([0x81, 0x80 | rcode, 0, 1, 0, record.length > 0 ? 1 : 0, 0, 0, 0, 0]);
  return Buffer.concat([message.subarray(0, 2), head, message.subarray(12, questionEnd), record]);
}

async function startDns() {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    const reply = answer(message);
    if (reply) socket.send(reply, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

// The issuer of keys

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = publicKey.export({ format: 'jwk' });
const keys = (count, kid) =>
  JSON.stringify({
    keys: Array.from({ length: count }, (_, index) => ({
      ...jwk,
      kid: kid ?? `${index}`,
    })),
  });
const SETS = { '/jwks': keys(1, 'a'), '/slow': keys(1, 'a'), '/many': keys(1000), '/too-many': keys(10_000) };

async function startIssuer() {
  const server = createHttpServer((request, response) => {
    setTimeout(() => response.end(SETS[request.url]), request.url === '/slow' ? 3000 : 0);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

const ports = { refusing: await refusingPort() };
for (const [name, behave] of Object.entries(behaviours)) ports[name] = await listen(behave);
process.send({ targets: ports, dns: await startDns(), issuer: await startIssuer() });
