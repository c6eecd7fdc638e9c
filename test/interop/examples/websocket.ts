import { createClient, type Identity, MtlsError, type WebSocketErrorEvent } from 'browser-mtls';

export interface Setting {
  relay: string;
  anchor: string;
  identity: Identity;
  address: string;
}

/** Asks by a WebSocket, and gives the first answer. */
export async function ask(question: string, { relay, anchor, identity, address }: Setting): Promise<string> {
  const client = await createClient({
    tunnel: relay,
    identities: [identity],
    trust: { anchors: [anchor] },
    webSocket: { maxMessageBytes: 1_000_000 },
  });
  const socket = new client.WebSocket(address, 'v1');
  const closed = new Promise(resolve => socket.addEventListener('close', resolve));
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.onopen = () => socket.send(question);
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = event => reject((event as WebSocketErrorEvent).error);
    });
  } catch (error) {
    if (error instanceof MtlsError && error.code === 'ERR_WEBSOCKET_HANDSHAKE') return 'no WebSocket here';
    throw error;
  } finally {
    socket.close(1000, 'thank you');
    await closed;
    await client.close();
  }
}
