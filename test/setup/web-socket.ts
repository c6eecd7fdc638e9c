import { WebSocket } from 'ws';

// Node 20 has no WebSocket of its own; that of ws has the same interface.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
