import { type OnProgress, ProgressCounter } from '../../http/body/progress.js';
import { fetchError } from '../../http/fetch-error.js';
import type { RawResponse } from '../../http/raw-response.js';

/** The response, with a body that tells how far it is read. */
export function reportDownload(response: RawResponse, report: OnProgress | undefined): RawResponse {
  if (!report) return response;
  const counter = new ProgressCounter(report, lengthOf(response));
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          counter.add(value.length);
          controller.enqueue(value);
        } catch (error) {
          controller.error(fetchError(error));
        }
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { ...response, body };
}

function lengthOf({ head }: RawResponse): number | undefined {
  const value = head.headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
