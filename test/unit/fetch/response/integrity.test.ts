import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkIntegrity } from '../../../../src/fetch/response/integrity.js';

const body = new TextEncoder().encode('a body');
const digest = (algorithm: string, bytes: string | Uint8Array = body) =>
  `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;
const wrong = (algorithm: string) => digest(algorithm, 'another body');

it.each([
  ['nothing', ''],
  ['an algorithm that is not known', 'md5-AAAA sha1-AAAA'],
  ['SHA-256', digest('sha256')],
  ['SHA-384', digest('sha384')],
  ['SHA-512', digest('sha512')],
  [
    'SHA-256 without padding, in the alphabet of URLs',
    digest('sha256').replace(/=+$/, '').replace(/\//g, '_').replace(/\+/g, '-'),
  ],
  ['one of several of the strongest', `${wrong('sha384')}\n${digest('sha384')}`],
  ['the strongest, though a weaker one is wrong', `${wrong('sha256')} ${digest('sha512')}`],
  ['options behind it', `${digest('sha256')}?ct=text`],
])('%s is met', async (_, integrity) => {
  await checkIntegrity(body, integrity);
});

it.each([
  ['another body', wrong('sha256')],
  ['another body by the strongest, though a weaker one is right', `${digest('sha256')} ${wrong('sha512')}`],
])('%s is refused', async (_, integrity) => {
  await expect(checkIntegrity(body, integrity)).rejects.toMatchObject({ code: 'ERR_HTTP_INTEGRITY' });
});
