import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, isIPv4, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { parseIpAddress } from '../../src/policy/addresses/ip-address.js';
import { sleep } from './harness.js';

/** What a DNS server says to a question; `undefined` is silence. */
export type DnsReply = DnsAnswer | undefined;

export interface DnsAnswer {
  /** Those of the asked family are sent. */
  addresses?: string[];
  /** Names between the asked one and that of the addresses. */
  chain?: string[];
  /** Seconds. */
  ttl?: number;
  rcode?: 'NOERROR' | 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED';
  /** By UDP the answer is cut, so that it must be asked for by TCP. */
  truncated?: boolean;
  delayMs?: number;
}

export interface Question {
  name: string;
  type: 'A' | 'AAAA';
  transport: 'udp' | 'tcp';
}

export interface DnsServer {
  /** `127.0.0.1:port`, for `dnsServers`. */
  address: string;
  /** All that was asked, in order. */
  questions: Question[];
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 };
const TYPES = { A: 1, AAAA: 28 };
const CNAME = 5;
const UDP_BYTES = 512;

/** A DNS server on loopback that ends with the test. Names that `zone` lacks do not exist. */
export async function startDns(
  zone: Record<string, DnsReply | ((question: Question) => DnsReply)>,
): Promise<DnsServer> {
  const questions: Question[] = [];
  const reply = async (message: Buffer, transport: Question['transport']): Promise<Buffer | undefined> => {
    const question = { ...readQuestion(message), transport };
    questions.push(question);
    const entry = Object.hasOwn(zone, question.name) ? zone[question.name] : { rcode: 'NXDOMAIN' as const };
    const answer = typeof entry === 'function' ? entry(question) : entry;
    if (answer?.delayMs) await sleep(answer.delayMs);
    return answer && writeAnswer(message, question, answer);
  };
  // Its port may be taken for UDP, which is rare.
  const port = await listenTcp(reply);
  await listenUdp(reply, port);
  return { address: `127.0.0.1:${port}`, questions };
}

type Reply = (message: Buffer, transport: Question['transport']) => Promise<Buffer | undefined>;

async function listenUdp(reply: Reply, port: number): Promise<void> {
  const socket = createSocket('udp4');
  let closed = false;
  socket.on('message', async (message, { port, address }) => {
    const answer = await reply(message, 'udp');
    if (answer && !closed) socket.send(answer, port, address);
  });
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => {
    closed = true;
    socket.close();
  });
}

async function listenTcp(reply: Reply): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', async chunk => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE()) {
        const message = received.subarray(2, 2 + received.readUInt16BE());
        received = received.subarray(2 + message.length);
        const answer = await reply(message, 'tcp');
        if (answer) socket.write(Buffer.concat([uint16(answer.length), answer]));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The first question (RFC 1035 section 4.1.2), whose labels begin behind the header. */
function readQuestion(message: Buffer): Omit<Question, 'transport'> {
  const labels: string[] = [];
  let offset = 12;
  for (let length = message[offset] ?? 0; length > 0; length = message[offset] ?? 0) {
    labels.push(message.toString('latin1', offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  const type = message.readUInt16BE(offset + 1) === TYPES.A ? 'A' : 'AAAA';
  return { name: labels.join('.').toLowerCase(), type };
}

function writeAnswer(message: Buffer, { name, type, transport }: Question, answer: DnsAnswer): Buffer {
  const { addresses = [], chain = [], ttl = 60, rcode = 'NOERROR', truncated = false } = answer;
  const wanted = addresses.filter(address => isIPv4(address) === (type === 'A'));
  const owners = [name, ...chain];
  const records = [
    ...chain.map((alias, index) => record(owners[index] ?? '', CNAME, ttl, encodeName(alias))),
    ...wanted.map(address => record(owners.at(-1) ?? '', TYPES[type], ttl, encodeAddress(address))),
  ];
  const size = records.reduce((bytes, each) => bytes + each.length, 0);
  const isCut = transport === 'udp' && (truncated || size > UDP_BYTES - 100);
  const sent = isCut ? [] : records;
  const questionEnd = 12 + encodeName(name).length + 4;
  // A response, recursion available.
  const flags = 0x8180 | (isCut ? 0x0200 : 0) | RCODES[rcode];
  const counts = [1, sent.length, 0, 0].map(uint16);
  const header = Buffer.concat([message.subarray(0, 2), uint16(flags), ...counts]);
  return Buffer.concat([header, message.subarray(12, questionEnd), ...sent]);
}

function record(owner: string, type: number, ttl: number, data: Buffer): Buffer {
  const time = Buffer.alloc(4);
  time.writeUInt32BE(ttl);
  return Buffer.concat([encodeName(owner), uint16(type), uint16(1), time, uint16(data.length), data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').flatMap(label => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  return Buffer.concat([...labels, Buffer.of(0)]);
}

/** Also an IPv4-mapped address as what it is: 16 bytes. */
function encodeAddress(text: string): Buffer {
  const bits = parseIpAddress(text)?.bits ?? 0n;
  if (isIPv4(text)) return Buffer.from(bits.toString(16).padStart(8, '0'), 'hex');
  const mapped = parseIpAddress(text)?.family === 4 ? (0xffffn << 32n) | bits : bits;
  return Buffer.from(mapped.toString(16).padStart(32, '0'), 'hex');
}

function uint16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255);
}
