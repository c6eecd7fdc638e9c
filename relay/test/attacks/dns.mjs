// The attacker's DNS server: what it says depends on a name's first word. Other words have no answer.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const MISSING = 3;
const FAILED = 2;
const CUT = 0x02;
const A = 1;
const CNAME = 5;
const LOOPBACK = [127, 0, 0, 1];
const NOWHERE = [192, 0, 2, 1];
/** The name of the question, by a pointer. */
const ASKED = [0xc0, 12];

const record = (data, { owner = ASKED, type = A, ttl = [0, 0, 0, 0], length = data.length } = {}) =>
  Buffer.from([...owner, 0, type, 0, 1, ...ttl, length >> 8, length & 255, ...data]);
const encoded = name => [...name.split('.').flatMap(label => [label.length, ...Buffer.from(label)]), 0];
const aliases = Array.from({ length: 20 }, (_, index) => encoded(`a${index}.test`));

const rebound = new Map();
const answers = {
  missing: () => ({ rcode: MISSING }),
  failing: () => ({ rcode: FAILED }),
  loopback: () => ({ records: [record(LOOPBACK)] }),
  metadata: () => ({ records: [record([169, 254, 169, 254])] }),
  rebound: name => {
    rebound.set(name, !rebound.get(name));
    return { records: [record(rebound.get(name) ? NOWHERE : LOOPBACK)] };
  },
  mixed: () => ({ records: [NOWHERE, LOOPBACK, [10, 0, 0, 1], [0, 0, 0, 0]].map(each => record(each)) }),
  holes: () => ({ records: Array.from({ length: 16 }, (_, index) => record([127, 0, 1, index + 1])) }),
  ageless: () => ({ records: [record(LOOPBACK, { ttl: [0x7f, 255, 255, 255] })] }),
  negative: () => ({ records: [record(LOOPBACK, { ttl: [255, 255, 255, 255] })] }),
  cut: () => ({ flags: CUT }),
  otherid: () => ({ records: [record(LOOPBACK)], id: randomBytes(2) }),
  otherquestion: () => ({ records: [record(LOOPBACK)], question: [...encoded('other.test'), 0, 1, 0, 1] }),
  noquestion: () => ({ records: [record(LOOPBACK)], question: [] }),
  garbage: () => ({ whole: randomBytes(300) }),
  counts: () => ({ records: [record(LOOPBACK)], count: 65_535 }),
  loop: () => ({ records: [record(LOOPBACK, { owner: [0xc0, 200] }), Buffer.alloc(200, 0xc0)] }),
  long: () => ({ records: [record(Buffer.alloc(300, 127))] }),
  short: () => ({ records: [record([127, 0], { length: 4 })] }),
  flood: () => ({ records: [record(LOOPBACK)], copies: 50 }),
  alias: () => ({
    records: [
      record(aliases[0], { type: CNAME }),
      ...aliases.slice(1).map((name, index) => record(name, { type: CNAME, owner: aliases[index] })),
      record(LOOPBACK, { owner: aliases.at(-1) }),
    ],
  }),
  selfalias: () => ({ records: [record(ASKED, { type: CNAME })] }),
};

/** The messages that answer one. */
function reply(message) {
  const name = message.subarray(13, 13 + message[12]).toString('latin1');
  const word = /^[a-z]+/.exec(name)?.[0] ?? '';
  if (!Object.hasOwn(answers, word)) return [];
  const answer = answers[word](name);
  if (answer.whole) return [answer.whole];
  const questionEnd = message.indexOf(0, 12) + 5;
  const isA = message.readUInt16BE(questionEnd - 4) === A;
  const { rcode = 0, flags = 0, id = message.subarray(0, 2), copies = 1 } = answer;
  const { question = message.subarray(12, questionEnd), records = [] } = answer;
  const given = isA ? records : [];
  const count = given.length > 0 ? (answer.count ?? given.length) : 0;
  const counts = [0, question.length > 0 ? 1 : 0, count >> 8, count & 255, 0, 0, 0, 0];
  const head = [...id, 0x81 | flags, 0x80 | rcode, ...counts];
  return Array(copies).fill(Buffer.concat([Buffer.from(head), Buffer.from(question), ...given]));
}

/** By TCP it says nothing, or what never ends, in turn. */
async function startTcp() {
  let turn = 0;
  const server = createServer(socket => {
    socket.on('error', () => {}).resume();
    if (turn++ % 2 === 0) return;
    const timer = setInterval(() => socket.write(Buffer.alloc(1000, 255)), 5);
    socket.on('close', () => clearInterval(timer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** Gives its port. */
export async function startDns() {
  const port = await startTcp();
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    for (const each of reply(message)) socket.send(each, port, address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return port;
}
