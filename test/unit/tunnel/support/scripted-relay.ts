import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  createWebSocketTunnel,
  type WebSocketTunnelOptions,
} from '../../../../src/tunnel/websocket-tunnel.js';
import {
  decodeFrame,
  encodeOpened,
  encodeWelcome,
  type Frame,
  type WelcomeFrame,
} from '../../../../src/tunnel/wire/frames.js';
import { SUBPROTOCOL } from '../../../../src/tunnel/wire/limits.js';

export const ADDRESS = { hostname: 'target.test', port: 443 };
export const platform = { WebSocket: WebSocket as unknown as typeof globalThis.WebSocket };
export const MIB = 1024 * 1024;
export const WELCOME = { socketWindowBytes: 16 * MIB, streamWindowBytes: MIB, maxStreams: 256 };

/** A page's WebSocket, as the scripted relay sees it. */
export class ScriptedPage {
  readonly webSocket: WebSocket;
  readonly frames: Frame[] = [];
  closeCode: number | undefined;

  constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('close', code => {
      this.closeCode = code;
    });
  }

  send(...messages: (Uint8Array | string)[]): void {
    for (const message of messages) this.webSocket.send(message);
  }

  welcome(welcome: Partial<Omit<WelcomeFrame, 'type'>> = {}): void {
    this.send(encodeWelcome({ ...WELCOME, ...welcome }));
  }

  of<T extends Frame['type']>(type: T): Extract<Frame, { type: T }>[] {
    return this.frames.filter((frame): frame is Extract<Frame, { type: T }> => frame.type === type);
  }

  /** Bytes of DATA that have come, on one stream or on all. */
  dataBytes(stream?: number): number {
    return this.of('data')
      .filter(frame => stream === undefined || frame.stream === stream)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  }
}

type Script = (frame: Frame, page: ScriptedPage) => void;

/** Admits each page and opens each stream. */
export const polite: Script = (frame, page) => {
  if (frame.type === 'hello') page.welcome();
  if (frame.type === 'open') page.send(encodeOpened(frame.stream));
};

/** A relay that does what the test says, right or wrong. */
export async function startScriptedRelay(script: Script = polite) {
  const pages: ScriptedPage[] = [];
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => SUBPROTOCOL });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', webSocket => {
    const page = new ScriptedPage(webSocket);
    pages.push(page);
    webSocket.on('message', data => {
      const frame = decodeFrame(data as Buffer);
      if (!frame) throw new Error('the page sent a malformed message');
      page.frames.push(frame);
      script(frame, page);
    });
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** The page of the latest WebSocket. */
  const page = () => {
    const latest = pages.at(-1);
    if (!latest) throw new Error('no page has come');
    return latest;
  };
  return { url, pages, page };
}

/** A tunnel that is closed with the test. */
export function openTunnel(url: string, options: WebSocketTunnelOptions = {}) {
  const tunnel = createWebSocketTunnel(url, { ...platform, ...options });
  onTestFinished(() => tunnel.close());
  return tunnel;
}

export async function openStream(tunnel: ReturnType<typeof openTunnel>, signal?: AbortSignal) {
  const { readable, writable } = await tunnel.connect(ADDRESS, signal ? { signal } : {});
  const writer = writable.getWriter();
  const reader = readable.getReader();
  writer.closed.catch(() => {});
  reader.closed.catch(() => {});
  return { writer, reader };
}

export const sleep = (timeMs: number) => new Promise(resolve => setTimeout(resolve, timeMs));
