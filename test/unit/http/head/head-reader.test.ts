import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadReader } from '../../../../src/http/head/head-reader.js';

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

/** What becomes of a server's bytes: what the engine gets, and what the page sees. */
function read(text: string, pieceBytes = text.length) {
  const reader = new HeadReader();
  const bytes = bytesOf(text);
  let given = '';
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      given += textOf(reader.read(bytes.subarray(at, at + pieceBytes)));
    }
  } catch (error) {
    return { refused: (error as Error).message };
  }
  const { headers, statusText } = reader.shown({ status: 0, statusText: 'engine', headers: [] });
  return { given: given + textOf(reader.rest()), headers, statusText, mended: reader.mended };
}

const head = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\nbody\0\r\n: \r\n\r\n`;
const fieldsOf = (fields: string) => read(head(fields));

describe('the head of a response over HTTP/1.1', () => {
  it.each([
    ['one of valid lines', head('X-A: b\r\nx:\t\xe9 \r\nempty:')],
    ['one without fields', 'HTTP/1.0 204\r\n\r\n'],
    ['line feeds alone', 'HTTP/1.1 200 \xe9\nx: y\n\nbody'],
    ['empty lines before it', `\r\n\n${head('x: y')}`],
    ['informational ones', `HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n${head('x: y')}`],
  ])('passes as it is: %s', (_, text) => {
    expect(read(text)).toMatchObject({ given: text, mended: false, headers: [] });
  });

  it.each([
    ['no HTTP', 'SSH-2.0-x\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\nno colon\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\nno colon\r\n\r\n'],
    ['a head that is cut', 'HTTP/1.1 200 OK\r\nno colon\r\nx'],
    ['too many lines', head('no colon\r\n'.repeat(400))],
    ['a head that is too long', head(`x: ${'y'.repeat(300_000)}`)],
  ])('is for the engine to refuse: %s', (_, text) => {
    expect(read(text)).toMatchObject({ given: text, mended: false });
    expect(read(text, 5_000)).toMatchObject({ given: text, mended: false });
  });

  it('is given at once where it is no HTTP', () => {
    expect(textOf(new HeadReader().read(bytesOf('\r\nSSH')))).toBe('\r\nSSH');
    expect(textOf(new HeadReader().read(bytesOf('\r\nHTT')))).toBe('');
  });

  it.each<[string, string, [string, string][]]>([
    ['no colon', 'abc\r\nx: y', [['x', 'y']]],
    ['no colon, last', 'x: y\r\na b c', [['x', 'y']]],
    ['an empty name', ': a\r\nx: y', [['x', 'y']]],
    ['a blank name', 'x: y\r\n : a', [['x', 'y : a']]],
    ['a space before the colon', 'X : y', [['x', 'y']]],
    ['tabs before the colon', 'x\t\t:y', [['x', 'y']]],
    ['a space in the name', 'a b: c\r\nx: y', [['x', 'y']]],
    [
      'other characters in the name',
      'a(b): c\r\n\xe9: c\r\n"a": c\r\na\x7f: c\r\na\x01: c\r\nx: y',
      [['x', 'y']],
    ],
    ['a fold', 'x: a\r\n b', [['x', 'a b']]],
    [
      'folds',
      'x: a  \r\n\t b\r\n  c \r\ny: z',
      [
        ['x', 'a   b c'],
        ['y', 'z'],
      ],
    ],
    [
      'a fold of nothing',
      'x: a\r\n \r\ny: z',
      [
        ['x', 'a'],
        ['y', 'z'],
      ],
    ],
    ['a fold behind an empty value', 'x:\r\n b', [['x', 'b']]],
    ['a fold that looks like a field', 'x: a\r\n y: b', [['x', 'a y: b']]],
    ['a fold that is first', ' x: y\r\ny: z', [['y', 'z']]],
    ['a fold behind a line that is left out', 'abc\r\n d\r\n\te\r\nx: y', [['x', 'y']]],
    ['a fold that lists names', 'x: a,\r\n content-length, b', [['x', 'a, content-length, b']]],
    ['DEL in a value', 'x: a\x7fb', [['x', 'a\x7fb']]],
    ['control characters in a value', 'x: \x01a\x1f\x0b\x0c', [['x', '\x01a\x1f\x0b\x0c']]],
    [
      'several of a name',
      'x: 1\r\nX : 2\r\nx: 3\r\n 4\r\nx: 5',
      [
        ['x', '1'],
        ['x', '2'],
        ['x', '3 4'],
        ['x', '5'],
      ],
    ],
    ['identity', 'transfer-encoding: identity', [['transfer-encoding', 'identity']]],
    [
      'identity again',
      'Transfer-Encoding: Identity , identity\r\ntransfer-encoding:identity',
      [
        ['transfer-encoding', 'Identity , identity'],
        ['transfer-encoding', 'identity'],
      ],
    ],
    [
      'names that are alike',
      'content-length-x : 1\r\ncontent_length\t: 2',
      [
        ['content-length-x', '1'],
        ['content_length', '2'],
      ],
    ],
  ])('is mended as in browsers: %s', (_, fields, headers) => {
    const result = fieldsOf(fields);
    expect(result).toMatchObject({ headers, mended: true, statusText: 'OK' });
    const [given = ''] = result.given?.split('\r\n\r\n') ?? [];
    expect(result.given).toBe(`${given}\r\n\r\nbody\0\r\n: \r\n\r\n`);
    const valid = given.split('\r\n').slice(1);
    for (const line of valid) expect(line).toMatch(/^[!-9;-~]+: [\t -~\x80-\xff]*$/);
    expect(valid.length).toBe(headers.filter(([name]) => name !== 'transfer-encoding').length);
  });

  it('keeps transfer codings for the engine to refuse', () => {
    for (const codings of ['chunked, identity', 'identity\r\ntransfer-encoding: chunked', 'gzip', '']) {
      const text = head(`transfer-encoding: ${codings}`);
      expect(read(text)).toMatchObject({ given: text, mended: false });
    }
  });

  it.each([
    ['lower case', 'http/1.1 200 OK', 'HTTP/1.1 200 OK', 'OK'],
    ['more spaces', 'HTTP/1.0  404 \tNot  Found ', 'HTTP/1.0 404 Not  Found', 'Not  Found'],
    ['tabs', 'HTTP/1.1\t200\tOK', 'HTTP/1.1 200 OK', 'OK'],
    ['control characters', 'HTTP/1.1 200 a\x01b\x7f', 'HTTP/1.1 200 ', ''],
  ])('may have a status line with %s', (_, line, given, statusText) => {
    expect(read(`${line}\r\nx: y\r\n\r\n`)).toMatchObject({
      given: `${given}\r\nx: y\r\n\r\n`,
      statusText,
      mended: true,
      headers: [['x', 'y']],
    });
  });

  it('shows the reason as the server sent it', () => {
    expect(read('HTTP/1.1 200 \xc3\xa9\r\n\r\n')).toMatchObject({ statusText: '\xc3\xa9', mended: false });
    expect(read('HTTP/1.1 200\r\n\r\n')).toMatchObject({ statusText: '', mended: false });
  });

  it.each([
    ['a zero byte', 'x: a\0b', '"x:…" of the response\'s head has a zero byte'],
    ['a zero byte in a name', 'x\0: a', '"x\\x00:…"'],
    ['a bare CR', 'secret: a\rb', '"secret:…" of the response\'s head has a carriage return'],
    ['two CRs at the end', 'x: a\r', '"x:…"'],
    ['CRs alone', '\r\r', 'carriage return'],
    [
      'a length with a space',
      'content-length : 2',
      '"content-length : 2" of the response\'s head is not valid',
    ],
    ['a length in capitals with a tab', 'CONTENT-LENGTH\t: 2', '"CONTENT-LENGTH\\x09: 2"'],
    ['a length in other characters', '\xa0content\x01-length(): 2', '"\\xa0content\\x01-length(): 2"'],
    ['a length without a colon', 'content-length 2', '"content-length 2"'],
    ['a length in quotes', '"content-length": 2', '"\\x22content-length\\x22: 2"'],
    ['a length that is folded', 'content-length:\r\n 2', '" 2"'],
    ['a length that goes on', 'content-length: 2\r\n\t3', '"\\x093"'],
    ['a length in a fold', 'x: y\r\n content-length: 2', '" content-length: 2"'],
    ['a length in a first fold', ' content-length: 2', '" content-length: 2"'],
    ['a length with a control character', 'content-length: 2\x7f', '"content-length: 2\\x7f"'],
    ['chunks with a space', 'transfer-encoding : chunked', '"transfer-encoding : chunked"'],
    ['chunks that are folded', 'transfer-encoding: gzip,\r\n chunked', '" chunked"'],
    ['a long line', `transfer-encoding : ${'x'.repeat(1000)}`, `"transfer-encoding : ${'x'.repeat(60)}…"`],
  ])('is refused: %s', (_, fields, message) => {
    const { refused } = fieldsOf(fields);
    expect(refused).toContain(message);
    expect(refused).not.toMatch(/[^ -~…]|secret: a/);
  });

  it('is refused for a zero byte in the status line, and in an informational head', () => {
    expect(read('HTTP/1.1 200 a\0b\r\n\r\n').refused).toContain('zero byte');
    expect(read(`HTTP/1.1 103 x\r\nx: \0\r\n\r\n${head('x: y')}`).refused).toContain('zero byte');
  });

  it('is mended where an informational one was', () => {
    const result = read(`HTTP/1.1 103 x\r\nno colon\r\nx: y\r\n\r\n${head('x: y')}`);
    expect(result).toMatchObject({ mended: true, headers: [], statusText: 'OK' });
    expect(result.given).toBe(`HTTP/1.1 103 x\r\nx: y\r\n\r\n${head('x: y')}`);
  });

  it('comes to the same in pieces of every size', () => {
    const part = fc.constantFrom(
      ...[
        '\r\n',
        '\n',
        ' ',
        '\t',
        ':',
        'x',
        'y: z',
        '\0',
        '\r',
        '\x7f',
        '\xe9',
        'content-length',
        ': 2',
        ',',
      ],
      ...['transfer-encoding: identity', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 103\r\n', '\r\n\r\n', 'a : b\r\n'],
    );
    const any = fc.array(part, { maxLength: 40 }).map(parts => parts.join(''));
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 9 }), (text, pieceBytes) => {
        const whole = `HTTP/1.1 200 OK\r\n${text}`;
        expect(read(whole, pieceBytes)).toEqual(read(whole));
      }),
      { numRuns: 2_000 },
    );
  });

  it('may have long lines, and come in single bytes', () => {
    const blanks = ' '.repeat(250_000);
    for (const line of [blanks, `x${blanks}y`, `x:${blanks}y`, `x: y\r\n${blanks}z`, ':'.repeat(250_000)]) {
      expect(read(head(line))).toMatchObject({ mended: !line.startsWith('x:') || line.includes('\r') });
    }
    expect(read(head(`x: ${'y'.repeat(250_000)}`), 1)).toMatchObject({ mended: false });
  });
});
