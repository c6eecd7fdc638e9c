import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cyclesOf } from '../../../tools/rust-cycles.mjs';

function crate(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-rust-cycles-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

const head = 'mod a;\nmod b;\n';

test.each([
  ['of siblings', { 'lib.rs': head, 'a.rs': 'use super::b::B;', 'b.rs': 'use crate::a::A;' }],
  [
    'by nested braces',
    { 'lib.rs': head, 'a.rs': 'use crate::{\n  b::{self, C},\n};', 'b.rs': 'use super::a;' },
  ],
  [
    'by a path in an expression',
    { 'lib.rs': head, 'a.rs': 'fn f() { super::b::g() }', 'b.rs': 'use crate::a;' },
  ],
])('finds a cycle %s', (_, files) => {
  expect(cyclesOf(crate(files))).toEqual([['crate::a', 'crate::b', 'crate::a']]);
});

test('finds a cycle over three modules in folders', () => {
  const source = crate({
    'lib.rs': 'pub mod http;\npub mod wire;\n',
    'http/mod.rs': 'mod body;\nmod event;\n',
    'http/body.rs': 'use super::event::Event;',
    'http/event.rs': 'use crate::wire::Writer;',
    'wire.rs': 'use crate::http::body::Body;',
  });
  expect(cyclesOf(source)).toEqual([
    ['crate::http::body', 'crate::http::event', 'crate::wire', 'crate::http::body'],
  ]);
});

test('finds a cycle of a module and what it contains', () => {
  const source = crate({ 'lib.rs': 'mod a;\npub fn f() { a::g() }\npub struct S;', 'a.rs': 'use crate::S;' });
  expect(cyclesOf(source)).toEqual([['crate', 'crate::a', 'crate']]);
});

test('takes neither declarations, comments, strings nor tests of a module for imports', () => {
  const source = crate({
    'lib.rs': `${head}pub struct S;`,
    'a.rs':
      'use super::S;\nuse crate::b::B;\n#[cfg(test)]\nmod tests {\n  use super::*;\n  fn f() { super::g() }\n}',
    'b.rs': '//! See [`crate::a`].\nconst C: &str = "crate::a::A";\n/* super::a */\npub struct B;',
  });
  expect(cyclesOf(source)).toEqual([]);
});
