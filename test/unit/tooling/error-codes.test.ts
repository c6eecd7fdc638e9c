import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { problemOf } from '../../../demo/problems.js';
import { MtlsError, type MtlsErrorCode } from '../../../src/index.js';

const codes = Array.from(
  readFileSync('src/errors.ts', 'utf8').matchAll(/^ {2}\| '(ERR_\w+)'/gm),
  ([, code]) => code as MtlsErrorCode,
);

it('docs/errors.md has each code in one of its tables, once, and no other', () => {
  const firstCells = readFileSync('docs/errors.md', 'utf8').matchAll(/^\| (`ERR_[^|]+)\|/gm);
  const documented = Array.from(firstCells, ([, cell = '']) => cell.match(/ERR_\w+/g) ?? []).flat();
  expect(codes.length).toBeGreaterThan(60);
  expect(documented.sort()).toEqual([...codes].sort());
});

it.each(codes)('the demo has words of its own for %s', code => {
  const onConsole = vi.spyOn(console, 'error').mockReturnValue();
  const unexpected = problemOf(new Error('of no kind that is known'));
  expect(onConsole).toHaveBeenCalledOnce();
  const problem = problemOf(new TypeError('failed', { cause: new MtlsError(code, 'what happened') }));
  onConsole.mockRestore();
  expect(problem).toMatchObject({ code, message: 'what happened' });
  expect(problem.title).not.toBe(unexpected.title);
  for (const text of [problem.title, problem.advice]) expect(text.length).toBeGreaterThan(5);
});

it('the documents name no code that does not exist', () => {
  const names = ['README.md', 'docs/servers.md', 'docs/trust.md', 'docs/challenges.md', 'docs/fetch.md'];
  for (const name of [...names, 'docs/connections.md', 'docs/websocket.md', 'docs/keychain.md']) {
    const named = readFileSync(name, 'utf8').match(/\bERR_[A-Z0-9_]+[A-Z0-9]\b/g) ?? [];
    expect(named.filter(code => !codes.includes(code as MtlsErrorCode))).toEqual([]);
  }
});
