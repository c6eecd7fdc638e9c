import type { MtlsClient } from 'browser-mtls';

/** The data of each event of a stream (text/event-stream) as it comes, until it ends or the signal is aborted. */
export async function* eventsOf(
  client: MtlsClient,
  address: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const headers = { accept: 'text/event-stream' };
  const response = await client.fetch(address, { headers, signal, cache: 'no-store' });
  if (!response.ok || !response.body) throw new Error(`no events: status ${response.status}`);
  let text = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const events = text.split(/\r?\n\r?\n/);
    text = events.pop() ?? '';
    for (const event of events) {
      const data = event.split(/\r?\n/).filter(line => line.startsWith('data:'));
      if (data.length > 0) yield data.map(line => line.replace(/^data: ?/, '')).join('\n');
    }
  }
}
