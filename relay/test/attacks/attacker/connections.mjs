import { connect } from 'node:net';
import { frame, hello } from './messages.mjs';
import { situation } from './situation.mjs';

let turn = 0;
const sockets = new Set();

function dial(onConnect, onClose = () => {}) {
  const { addresses, port } = situation;
  const localAddress = addresses[turn++ % addresses.length];
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => {
    sockets.delete(socket);
    onClose();
  });
  socket.on('connect', () => onConnect(socket));
  socket.resume();
}

/** Ends all connections at once. */
export function resetAll() {
  for (const socket of sockets) socket.resetAndDestroy();
}

/** Keeps so many connections, each of which begins by `start`; a closed one is replaced. */
export function keep(count, start, pauseMs = 5) {
  const again = () => dial(start, () => setTimeout(again, pauseMs));
  for (let index = 0; index < count; index++) again();
}

/** Writes the same, or what `bytes` makes, again and again, as fast as the relay takes it. */
export function pump(socket, bytes) {
  const next = typeof bytes === 'function' ? bytes : () => bytes;
  const more = () => {
    while (!socket.destroyed && socket.write(next()));
  };
  socket.on('drain', more);
  more();
}

/** Writes what `bytes` makes at an interval. */
export function drip(socket, bytes, intervalMs) {
  const timer = setInterval(() => socket.write(bytes()), intervalMs);
  socket.on('close', () => clearInterval(timer));
}

/** The request of a page; `changes` replace or add headers, and leave one out where they say `undefined`. */
export function upgrade(changes = {}, requestLine = 'GET / HTTP/1.1') {
  const headers = {
    Host: 'relay',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol': situation.subprotocol,
    Origin: 'http://page.test',
    ...changes,
  };
  const lines = Object.entries(headers)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return `${[requestLine, ...lines].join('\r\n')}\r\n\r\n`;
}

/** Begins a WebSocket, and goes on when the relay has answered. */
export const withWebSocket = (start, headers) => socket => {
  socket.write(upgrade(headers));
  socket.once('data', () => start(socket));
};

/** The same, and goes on when HELLO has been answered. */
export const withAdmission = start =>
  withWebSocket(socket => {
    socket.write(frame(hello()));
    socket.once('data', () => start(socket));
  });
