import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { CloseCode, ResetCode } from '../../../src/tunnel/wire/codes.js';

const source = readFileSync('src/tunnel/wire/codes.ts', 'utf8');
const specification = readFileSync('docs/tunnel.md', 'utf8');

/** The text of all TypeScript files below a folder. */
function textOf(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  );
  return names.map(name => readFileSync(`${folder}/${name}`, 'utf8')).join('\n');
}

const relay = textOf('relay/src');
const relayTests = textOf('relay/test');

/** The words of a type that is a union of texts. */
function wordsOf(type: string): string[] {
  const [, union = ''] = new RegExp(`export type ${type} =([^;]+);`).exec(source) ?? [];
  return Array.from(union.matchAll(/'([a-z-]+)'/g), ([, word = '']) => word);
}

describe.each([
  ['SocketLimit', 5],
  ['StreamLimit', 8],
  ['UnreachableReason', 4],
])('each reason of %s', (type, count) => {
  const words = wordsOf(type);
  test('is read', () => expect(words).toHaveLength(count));
  it.each(words)('%s is in the specification, sent by the relay, and in a test of it', word => {
    expect(specification).toContain(`\`${word}\``);
    expect(relay).toContain(`'${word}'`);
    expect(relayTests).toContain(word);
  });
});

test('each code is in a table of the specification, and no other', () => {
  const codes = Array.from(specification.matchAll(/^\| (\d[\d, ]*) \|/gm), ([, cell = '']) =>
    cell.split(', '),
  );
  const listed = codes.flat().map(Number);
  // Those of WebSocket itself, which no constant names.
  const others = [1002, 1003, 1006, 1007, 1008, 1009];
  expect(listed.sort()).toEqual([...Object.values(ResetCode), ...Object.values(CloseCode), ...others].sort());
});
