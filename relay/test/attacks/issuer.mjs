// The issuer of tokens whose keys the relay fetches, and what may be in their place.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = publicKey.export({ format: 'jwk' });
const keys = (count, kid) =>
  JSON.stringify({ keys: Array.from({ length: count }, (_, index) => ({ ...jwk, kid: kid ?? `${index}` })) });
const weak = { ...generateKeyPairSync('rsa', { modulusLength: 512 }).publicKey.export({ format: 'jwk' }) };
const BOMB = gzipSync(Buffer.alloc(100_000_000, ' '));

const endWith = text => response => response.end(text);

/** By the last part of a path. */
const sets = {
  jwks: endWith(keys(1, 'a')),
  slow: response => setTimeout(() => response.end(keys(1, 'a')), 3000),
  many: endWith(keys(1000)),
  'too-many': endWith(keys(10_000)),
  endless: response => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    };
    response.on('drain', more);
    more();
  },
  dripping: response => {
    const timer = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(timer));
  },
  compressed: response => {
    response.setHeader('content-encoding', 'gzip');
    response.end(BOMB);
  },
  html: response => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>Sign in</title>');
  },
  weak: endWith(JSON.stringify({ keys: [{ ...weak, kid: 'weak', alg: 'RS256' }] })),
};

/** Gives its port. A path that begins with a number leads to that port of this machine. */
export async function startIssuer() {
  const server = createServer(({ url }, response) => {
    const [, port, kind] = /^\/(?:(\d+)\/)?([a-z-]+)$/.exec(url) ?? [];
    if (port === undefined) {
      sets[kind]?.(response);
      return;
    }
    response.writeHead(302, { location: `http://127.0.0.1:${port}/` });
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}
