import { expect, it } from 'vitest';
import { earlyChunks } from '../../../tools/early-chunks.js';

const chunk = (code: string, ...imports: string[]) => ({ type: 'chunk', code, imports });

it('has an entry import each file that it needs, and marks chunks for V8', () => {
  const bundle = {
    'index.js': chunk('export {};\n', 'chunks/a.js', 'chunks/b.js'),
    'chunks/a.js': chunk('a();\n', 'chunks/c.js', 'chunks/b.js'),
    'chunks/b.js': chunk('b();\n'),
    'chunks/c.js': chunk('c();\n', 'chunks/d.js'),
    'chunks/d.js': chunk('d();\n'),
  };
  earlyChunks({ entry: 'index.js', called: ['chunks/d.js'] }).generateBundle({}, bundle);
  const code = Object.fromEntries(Object.entries(bundle).map(([file, { code }]) => [file, code]));
  expect(code).toEqual({
    'index.js': 'import "./chunks/c.js";\nimport "./chunks/d.js";\nexport {};\n',
    'chunks/a.js': 'a();\n',
    'chunks/b.js': 'b();\n',
    'chunks/c.js': 'c();\n',
    'chunks/d.js': '//# allFunctionsCalledOnLoad\nd();\n',
  });
});

it('refuses a file that is not built', () => {
  const plugin = earlyChunks({ entry: 'index.js', called: ['chunks/x.js'] });
  expect(() => plugin.generateBundle({}, { 'index.js': chunk('') })).toThrow('chunks/x.js is not built');
});
