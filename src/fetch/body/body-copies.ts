import type { BodyPart } from '../../http/body/body-reader.js';
import { type RequestBody, wholeBody } from '../../http/body/request-body.js';
import { isBlob } from '../../platform.js';

/** A body whose content is known, as the page gave it. */
export interface WholeBody {
  parts: (string | Uint8Array<ArrayBuffer> | Blob)[];
  contentType: string | null;
}

/**
 * So much of all bodies is copied into the page's memory, or one body of any size. Beyond it they are put into `Blob`s, which browsers
 * keep elsewhere: reading those back takes longer.
 */
const BUDGET_BYTES = 64 * 1024 * 1024;

let copiedBytes = 0;

/** The body as it is now, whatever the page does with its memory later. Its copy counts until it is released. */
export function keepBody({ parts, contentType }: WholeBody): RequestBody {
  const bytes = parts.reduce((sum, part) => sum + mostBytes(part), 0);
  if (copiedBytes > 0 && copiedBytes + bytes > BUDGET_BYTES) return wholeBody([new Blob(parts)], contentType);
  const body = wholeBody(parts.map(copyOf), contentType);
  copiedBytes += bytes;
  const release = () => {
    copiedBytes -= bytes;
  };
  return { ...body, release };
}

function mostBytes(part: WholeBody['parts'][number]): number {
  if (typeof part === 'string') return part.length * 3;
  return isBlob(part) ? 0 : part.length;
}

function copyOf(part: WholeBody['parts'][number]): BodyPart {
  if (typeof part === 'string') return new TextEncoder().encode(part);
  return isBlob(part) ? part : part.slice();
}
