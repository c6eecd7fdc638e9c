const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * What the relay itself saw, so that the page can show it: totals, and a search in the latest bytes.
 * A relay in earnest keeps no payload; this one does, to prove that it could not read it.
 */
export function createRelayRecord() {
  const totals = { 'page-to-target': 0, 'target-to-page': 0 };
  let position = 0;
  let kept = 0;
  const chunks = [];

  function observe(direction, bytes, connection, stream) {
    totals[direction] += bytes.length;
    position += bytes.length;
    kept += bytes.length;
    chunks.push({ stream: `${connection} ${stream} ${direction}`, end: position, bytes: Buffer.from(bytes) });
    while (kept > KEPT_BYTES) kept -= chunks.shift().bytes.length;
  }

  /** Totals since the start, and whether `text` stands readable in what passed after the position `since`. */
  function report({ since, text }) {
    const streams = new Map();
    for (const { stream, end, bytes } of chunks) {
      if (end > since) streams.set(stream, [...(streams.get(stream) ?? []), bytes]);
    }
    const found = text ? [...streams.values()].some(parts => Buffer.concat(parts).includes(text)) : undefined;
    return {
      position,
      pageToTarget: totals['page-to-target'],
      targetToPage: totals['target-to-page'],
      ...(found !== undefined && { found }),
    };
  }

  return { observe, report };
}
