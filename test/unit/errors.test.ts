import { describe, expect, it } from 'vitest';
import { describeError, MtlsError, mtlsErrorOf } from '../../src/errors.js';

const reason = new MtlsError('ERR_TUNNEL_CLOSED', 'The tunnel broke.');
const wrapped = new TypeError('fetch failed', { cause: reason });

describe('mtlsErrorOf', () => {
  it.each<[string, unknown]>([
    ['itself', reason],
    ['the cause', wrapped],
    ['two deep', new Error('Network Error', { cause: wrapped })],
    ['one of several', new AggregateError([new Error('other'), null, wrapped])],
    ['the error of an event', { type: 'error', error: reason }],
    ['the error of a request to GraphQL', { networkError: wrapped, graphQLErrors: [] }],
    ['the error of a resumable upload', { causingError: wrapped }],
    ['a list of errors', [wrapped]],
  ])('finds %s', (_name, error) => {
    expect(mtlsErrorOf(error)).toBe(reason);
  });

  it('gives the nearest of several', () => {
    const far = new MtlsError('ERR_HTTP_CLOSED', 'far');
    const near = new MtlsError('ERR_TUNNEL_CLOSED', 'near', { cause: far });
    expect(mtlsErrorOf(new Error('', { cause: near }))).toBe(near);
    expect(mtlsErrorOf(new AggregateError([new Error('', { cause: far }), near]))).toBe(near);
  });

  it.each<[string, unknown]>([
    ['an abort', new DOMException('enough', 'AbortError')],
    ['another TypeError', new TypeError('no')],
    ['a look-alike', { name: 'MtlsError', code: 'ERR_TUNNEL_CLOSED', message: '' }],
    ['text', 'ERR_TUNNEL_CLOSED'],
    ['undefined', undefined],
    ['null', null],
  ])('gives undefined for %s', (_name, error) => {
    expect(mtlsErrorOf(error)).toBe(undefined);
  });

  it('ends where causes go round', () => {
    const one = new Error('one');
    const other = new Error('other', { cause: one });
    one.cause = other;
    expect(mtlsErrorOf(one)).toBe(undefined);
    (other as Error & { errors: unknown[] }).errors = [one, reason];
    expect(mtlsErrorOf(one)).toBe(reason);
  });
});

it.each<[unknown, string, string]>([
  [new Error('Network Error', { cause: wrapped }), 'ERR_TUNNEL_CLOSED', 'The tunnel broke.'],
  [new DOMException('enough', 'AbortError'), 'AbortError', 'enough'],
  [Object.assign(new Error('no'), { code: 'ENOENT' }), 'ENOENT', 'no'],
  [new RangeError('far'), 'RangeError', 'far'],
  ['text', 'text', 'text'],
  [undefined, 'undefined', 'undefined'],
])('describeError tells %j', (error, code, message) => {
  expect(describeError(error)).toEqual({ code, message });
});
