import { execFileSync } from 'node:child_process';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

/** A body in each coding, by other programs than those under test. */
export const encoders = {
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  'x-gzip': (bytes: Uint8Array) => gzipSync(bytes),
  deflate: (bytes: Uint8Array) => deflateSync(bytes),
  'raw deflate': (bytes: Uint8Array) => deflateRawSync(bytes),
  br: (bytes: Uint8Array) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  zstd: (bytes: Uint8Array) => zstd(bytes),
};

/** What the command makes; Node 20 has no zstd. */
export function zstd(bytes: Uint8Array, args: string[] = []): Buffer {
  return execFileSync('zstd', ['-q', '-c', ...args], { input: bytes, maxBuffer: 1 << 28 });
}

const zeros = new Map<string, Buffer>();

/** 1 GiB of zeros with a coding. */
export function zerosIn(coding: string): Buffer {
  let coded = zeros.get(coding);
  if (!coded) {
    const script = `
      const [coding] = process.argv.slice(1);
      const zlib = require('node:zlib');
      const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } };
      const makers = {
        gzip: () => zlib.createGzip({ level: 1 }),
        deflate: () => zlib.createDeflate({ level: 1 }),
        br: () => zlib.createBrotliCompress(quality),
      };
      process.stdin.pipe(makers[coding]()).pipe(process.stdout);`;
    const encoder = coding === 'zstd' ? 'zstd -q -c' : '"$1" -e "$2" "$3"';
    const name = coding === 'x-gzip' ? 'gzip' : coding;
    const args = ['-c', `head -c 1G /dev/zero | ${encoder}`, 'sh', process.execPath, script, name];
    coded = execFileSync('sh', args, { maxBuffer: 1 << 28 });
    zeros.set(coding, coded);
  }
  return coded;
}
