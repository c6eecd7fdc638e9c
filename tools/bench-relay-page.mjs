import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const Type = { hello: 1, welcome: 2, open: 3, data: 5, credit: 6, reset: 8, ping: 9, pong: 10 };
const WINDOW_BYTES = 16 * 1024 * 1024;
const SOCKET_WINDOW_BYTES = 64 * 1024 * 1024;
const CREDIT_BYTES = 1024 * 1024;
const INITIAL_CREDIT_BYTES = 64 * 1024;

/** A WebSocket by hand: it costs next to nothing, so that two cores are enough for relay, target and page. */
export async function upgradeTo(url) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: browser-mtls.v2\r\nOrigin: http://bench.test\r\n\r\n`,
  );
  let head = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) head = Buffer.concat([head, (await once(socket, 'data'))[0]]);
  socket.pause();
  socket.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4));
  return socket;
}

/** A binary message as a page sends it: masked. */
function frame(message) {
  const { length } = message;
  const head =
    length < 126
      ? Buffer.from([0x82, 0x80 | length])
      : length < 65_536
        ? Buffer.from([0x82, 0xfe, length >> 8, length & 255])
        : Buffer.from([
            0x82,
            0xff,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          ]);
  return Buffer.concat([head, MASK, message.map((byte, at) => byte ^ MASK[at & 3])]);
}

function numbers(type, ...values) {
  const message = Buffer.alloc(1 + 4 * values.length);
  message[0] = type;
  for (const [index, value] of values.entries()) message.writeUInt32BE(value, 1 + 4 * index);
  return message;
}

function open(port) {
  const message = numbers(Type.open, 1);
  return Buffer.concat([message, Buffer.from([port >> 8, port & 255]), Buffer.from('127.0.0.1')]);
}

const data = payload => Buffer.concat([numbers(Type.data, 1), payload]);

/** A page with one stream, or with a bare relay. */
export class BenchPage {
  #socket;
  #bare;
  #receivedBytes = 0;
  #ungrantedBytes = 0;
  /** What is left of the message being read, and the head of one that is incomplete. */
  #messageBytes = 0;
  #head = Buffer.alloc(0);
  #streamCredit = INITIAL_CREDIT_BYTES;
  #socketCredit = INITIAL_CREDIT_BYTES;
  #wake = () => {};

  constructor(socket, { port, bare }) {
    this.#socket = socket;
    this.#bare = bare;
    socket.on('data', chunk => this.#read(chunk));
    socket.on('close', () => this.#wake());
    socket.resume();
    if (bare) return;
    const hello = Buffer.concat([
      Buffer.from([Type.hello, 2]),
      numbers(0, SOCKET_WINDOW_BYTES, WINDOW_BYTES).subarray(1),
    ]);
    socket.write(Buffer.concat([frame(hello), frame(open(port))]));
  }

  send(payload) {
    this.#spend(payload.length);
    this.#socket.write(frame(this.#bare ? payload : data(payload)));
  }

  /** Sends so many bytes, in messages of so many. */
  async upload(bytes, messageBytes) {
    const payload = Buffer.alloc(messageBytes, 'x');
    const message = frame(this.#bare ? payload : data(payload));
    for (let sent = 0; sent + messageBytes <= bytes; sent += messageBytes) {
      while (!this.#bare && Math.min(this.#streamCredit, this.#socketCredit) < messageBytes)
        await this.#change();
      this.#spend(messageBytes);
      if (!this.#socket.write(message)) await once(this.#socket, 'drain');
    }
    const restBytes = bytes % messageBytes;
    if (restBytes > 0) this.send(payload.subarray(0, restBytes));
  }

  async received(bytes) {
    while (this.#receivedBytes < bytes) {
      await this.#change();
      if (this.#socket.destroyed) throw new Error(`the relay went away after ${this.#receivedBytes} bytes`);
    }
  }

  #spend(bytes) {
    this.#streamCredit -= bytes;
    this.#socketCredit -= bytes;
  }

  #change() {
    return new Promise(resolve => {
      this.#wake = resolve;
    });
  }

  #read(chunk) {
    let rest = chunk;
    while (rest.length > 0) {
      const skipped = Math.min(this.#messageBytes, rest.length);
      this.#messageBytes -= skipped;
      rest = rest.subarray(skipped);
      if (rest.length > 0) rest = this.#readHead(rest);
    }
    this.#wake();
  }

  /** Looks at the first bytes of a message; gives what follows the head of the WebSocket's frame. */
  #readHead(bytes) {
    const head = this.#head.length > 0 ? Buffer.concat([this.#head, bytes]) : bytes;
    const short = (head[1] ?? 0) & 127;
    const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (head.length < headBytes) return this.#keep(head);
    const length = short === 127 ? head.readUInt32BE(6) : short === 126 ? head.readUInt16BE(2) : short;
    if (head.length < headBytes + Math.min(length, 11)) return this.#keep(head);
    this.#head = Buffer.alloc(0);
    this.#messageBytes = length;
    if (this.#bare) this.#receivedBytes += length;
    else this.#take(head.subarray(headBytes), length);
    return head.subarray(headBytes);
  }

  #keep(head) {
    this.#head = Buffer.from(head);
    return head.subarray(head.length);
  }

  #take(message, length) {
    switch (message[0]) {
      case Type.welcome:
        this.#socketCredit += message.readUInt32BE(1) - INITIAL_CREDIT_BYTES;
        this.#streamCredit += message.readUInt32BE(5) - INITIAL_CREDIT_BYTES;
        break;
      case Type.credit:
        if (message.readUInt32BE(1) === 0) this.#socketCredit += message.readUInt32BE(5);
        else this.#streamCredit += message.readUInt32BE(5);
        break;
      case Type.data:
        this.#receivedBytes += length - 5;
        this.#ungrantedBytes += length - 5;
        if (this.#ungrantedBytes < CREDIT_BYTES) break;
        this.#socket.write(frame(numbers(Type.credit, 0, this.#ungrantedBytes)));
        this.#socket.write(frame(numbers(Type.credit, 1, this.#ungrantedBytes)));
        this.#ungrantedBytes = 0;
        break;
      case Type.ping:
        this.#socket.write(frame(numbers(Type.pong, message.readUInt32BE(1))));
        break;
      case Type.reset:
        throw new Error(`RESET ${message[5]} ${message.subarray(6, length)}`);
    }
  }
}
