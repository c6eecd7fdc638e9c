// What the benchmarks share: a server's blocks, a reader, an identity as PEM.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const block = Buffer.alloc(64 * 1024, 'x');

/** Writes so many bytes, which are whole blocks of 64 KiB, as fast as the stream takes them, and ends it unless told otherwise. */
export async function writeBlocks(stream, bytes, ends = true) {
  try {
    for (let sent = 0; sent < bytes; sent += block.length) {
      if (!stream.write(block)) await once(stream, 'drain');
    }
    if (ends) stream.end();
  } catch {
    // The reader has gone.
  }
}

/** Reads to the end, and throws for another number of bytes. */
export async function drain(readable, bytes) {
  let length = 0;
  for await (const chunk of readable) length += chunk.length;
  if (length !== bytes) throw new Error(`${length} bytes came`);
}

/** The first identity of the demo's authority, as Node wants it. */
export function clientPem(folder, { samples: [{ file }], password }) {
  const read = flag =>
    openssl('pkcs12', '-in', join(folder, file), '-passin', `pass:${password}`, '-nodes', flag);
  return { cert: read('-nokeys'), key: read('-nocerts') };
}

export function openssl(...args) {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
