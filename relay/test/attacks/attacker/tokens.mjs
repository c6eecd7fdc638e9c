// JSON Web Tokens that nobody has issued.
import { createHmac, randomBytes } from 'node:crypto';
import { keep, withWebSocket } from './connections.mjs';
import { frames, hello, open } from './messages.mjs';
import { situation } from './situation.mjs';

const encoded = value =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const HEADER = { alg: 'ES256', kid: 'a' };
const CLAIMS = { iss: 'https://issuer.test', aud: 'relay.test', sub: 'ann', exp: 2 ** 31 };

function token(header = {}, claims = {}, signature = randomBytes(64).toString('base64url')) {
  const head = typeof header === 'string' ? header : { ...HEADER, ...header };
  const payload = typeof claims === 'string' ? claims : { ...CLAIMS, ...claims };
  return `${encoded(head)}.${encoded(payload)}.${signature}`;
}

/** From several addresses, since each has few guesses. */
function keepGuessing(tokens) {
  let turn = 0;
  keep(
    128,
    withWebSocket(socket => {
      socket.write(frames(hello(tokens[turn++ % tokens.length]()), open(1, situation.forbidden)));
    }),
  );
}

const deep = depth => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

export const tokens = {
  'jwt-algorithms': () =>
    keepGuessing(
      ['none', 'None', 'HS256', 'HS512', 'RS256', 'ES256K', 'dir', '', 'ES256 '].map(
        alg => () => token({ alg }, {}, alg.toLowerCase() === 'none' ? '' : undefined),
      ),
    ),
  'jwt-headers': () =>
    keepGuessing([
      () => token({ kid: '../../../../dev/null' }),
      () => token({ kid: "a' OR 1=1 --" }),
      () => token({ kid: '__proto__' }),
      () => token({ kid: 'k'.repeat(2000) }),
      () => token({ jku: `http://127.0.0.1:${situation.forbidden}/` }),
      () => token({ x5u: `http://127.0.0.1:${situation.forbidden}/` }),
      () => token({ jwk: { kty: 'oct', k: 'AAAA' } }),
      () => token({ crit: ['b64'], b64: false }),
      () => token({ zip: 'DEF' }),
      () => token({ kid: undefined }),
    ]),
  'jwt-claims': () =>
    keepGuessing([
      () => token({}, `{"iss":"https://issuer.test","aud":"relay.test","sub":"ann","exp":1e999}`),
      () => token({}, { exp: -1 }),
      () => token({}, deep(400)),
      () => token(deep(400)),
      () => token({}, `[${'[],'.repeat(900)}[]]`),
      () => token({}, `{"__proto__":{"sub":"root"}}`),
      () => token({}, { sub: 's'.repeat(2500) }),
      () => `${'a'.repeat(1300)}.${'b'.repeat(1300)}.${'c'.repeat(1300)}`,
    ]),
  /** Each is a reason to look for a newer set of keys. */
  'jwt-unknown-keys': () => keepGuessing([() => token({ kid: randomBytes(8).toString('hex') })]),
  /** Signed with what everybody knows: the issuer's public key, taken for a secret. */
  'jwt-confusion': () =>
    keepGuessing(
      ['HS256', 'HS384', 'HS512'].map(alg => () => {
        const signed = token({ alg }).split('.').slice(0, 2).join('.');
        const mac = createHmac(alg.replace('HS', 'sha'), JSON.stringify(HEADER)).update(signed);
        return `${signed}.${mac.digest('base64url')}`;
      }),
    ),
  'jwt-claims-twice': () =>
    keepGuessing([
      () =>
        token(
          {},
          '{"iss":"x","iss":"https://issuer.test","aud":"relay.test","sub":"a","sub":"b","exp":1e10}',
        ),
      () => token('{"alg":"none","alg":"ES256","kid":"a"}'),
      () => token('{"alg":"ES256","alg":"none","kid":"a"}', {}, ''),
    ]),
  /** The server of keys answers with what is none. */
  'jwt-endless-keys': () => keepGuessing([() => token()]),
  'jwt-dripping-keys': () => keepGuessing([() => token()]),
  'jwt-compressed-keys': () => keepGuessing([() => token()]),
  'jwt-redirected-keys': () => keepGuessing([() => token()]),
  'jwt-html-for-keys': () => keepGuessing([() => token()]),
  'jwt-weak-keys': () => keepGuessing([() => token({ alg: 'RS256', kid: 'weak' })]),
  /** The issuer takes seconds to tell its keys. */
  'jwt-slow-keys': () => keepGuessing([() => token(), () => token({ kid: randomBytes(8).toString('hex') })]),
  /** The issuer has a thousand keys, and the token does not say which. */
  'jwt-many-keys': () => keepGuessing([() => token({ kid: undefined })]),
  /** The issuer's set of ten thousand keys is refused. */
  'jwt-too-many-keys': () => keepGuessing([() => token({ kid: undefined })]),
};
