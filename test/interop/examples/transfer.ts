import type { BodyProgress, MtlsClient } from 'browser-mtls';

export interface Transfer {
  from: ReadableStream<Uint8Array>;
  show(direction: 'up' | 'down', progress: BodyProgress): void;
  signal?: AbortSignal;
}

/** Sends a stream piece by piece, and yields the answer as it comes: over HTTP/2, while the stream is still on its way. */
export async function* transfer(client: MtlsClient, url: string, { from, show, signal }: Transfer) {
  const response = await client.fetch(url, {
    method: 'POST',
    body: from,
    ...(signal && { signal }),
    onUploadProgress: progress => show('up', progress),
    onDownloadProgress: progress => show('down', progress),
  });
  if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
  const reader = response.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
}
