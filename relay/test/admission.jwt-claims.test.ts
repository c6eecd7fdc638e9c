import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import { byJwt, type JwtOptions, parseJwtOptions } from '../src/admission/jwt/jwt.js';

const now = () => Math.floor(Date.now() / 1000);

async function verdict(keys: Partial<JwtOptions>, token: string) {
  const settings = parseJwtOptions({ issuer: 'issuer', audience: 'relay', ...keys }, () => {});
  return byJwt(settings)({ token, origin: 'http://page.test' });
}

const secret = new Uint8Array(32);
/** `claims` as they stand in the token: JSON knows numbers that no issuer's library writes. */
function signed(claims: string): Promise<string> {
  const payload = `{"iss":"issuer","aud":"relay","sub":"ann",${claims}}`;
  return new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg: 'HS256' }).sign(secret);
}

test.each([
  ['"exp":1e999', 'exp'],
  ['"exp":9007199254740993', 'exp'],
  ['"exp":1e300', 'exp'],
  ['"exp":"4102444800"', 'exp'],
  ['"exp":null', 'exp'],
  ['"exp":[4102444800]', 'exp'],
  ['"exp":true', 'exp'],
  ['"exp":4102444800,"nbf":1e999', 'nbf'],
  ['"exp":4102444800,"nbf":-1e999', 'nbf'],
  ['"exp":4102444800,"nbf":"0"', 'nbf'],
  ['"exp":4102444800,"nbf":null', 'nbf'],
  ['"exp":4102444800,"iat":-1e999', 'iat'],
  ['"exp":4102444800,"iat":1e999', 'iat'],
  ['"exp":4102444800,"iat":"0"', 'iat'],
  ...['1e999', '-1e999', '1.5', '"1"', '-1', '2147483648', '9007199254740993', 'null', 'true'].map(number => [
    `"exp":4102444800,"browser_mtls_relay":{"streams":${number}}`,
    'browser_mtls_relay',
  ]),
  ...['1e999', '0', '16383', '16384.5', '"16384"', '-0'].map(number => [
    `"exp":4102444800,"browser_mtls_relay":{"bytes_per_second":${number}}`,
    'browser_mtls_relay',
  ]),
])('a token with %s is malformed', async (claims, reason) => {
  expect(await verdict({ secret }, await signed(claims))).toEqual({ refused: 'claim', reason });
});

test.each(['"exp":0', '"exp":-1', '"exp":-1e999'])('a token with %s has expired', async claims => {
  expect(await verdict({ secret }, await signed(claims))).toEqual({ refused: 'expired' });
});

test('times may have fractions, and lie far ahead', async () => {
  const soon = now() + 60.5;
  expect(await verdict({ secret }, await signed(`"exp":${soon},"nbf":0.5,"iat":1.25`))).toMatchObject({
    subject: 'ann',
    expiresAt: soon * 1000 + 5000,
  });
  expect(await verdict({ secret }, await signed('"exp":9007199254740991'))).toMatchObject({ subject: 'ann' });
});

test('a token that names no key is tried with eight keys, and no more', async () => {
  const pairs = await Promise.all(Array.from({ length: 9 }, () => generateKeyPair('ES256')));
  const keys = await Promise.all(pairs.map(({ publicKey }) => exportJWK(publicKey)));
  const payload = { iss: 'issuer', aud: 'relay', sub: 'ann', exp: now() + 60 };
  const verdicts = pairs.map(async ({ privateKey }) => {
    const bytes = new TextEncoder().encode(JSON.stringify(payload));
    const token = await new CompactSign(bytes).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
    return 'subject' in ((await verdict({ keys }, token)) ?? {});
  });
  expect(await Promise.all(verdicts)).toEqual([...Array.from({ length: 8 }, () => true), false]);
});
