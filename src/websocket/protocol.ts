/** What a WebSocket needs once it has been made: loaded with the first one. */
export { WebSocketConnection } from './connection.js';
export { openWebSocket } from './handshake.js';
