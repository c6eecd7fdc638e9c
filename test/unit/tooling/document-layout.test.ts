import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const COLUMNS = 100;
/** About as the formatter has it; an example is code like any other. */
const CODE_COLUMNS = 112;
const CELL_CHARACTERS = 120;
/** The reasons for differences from web-platform-tests: these tables are a record, and tested word for word. */
const RECORDS = { 'docs/fetch.md': '## By web-platform-tests' } as Record<string, string>;

const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'relay/README.md'].concat(
  readdirSync('docs').map(name => `docs/${name}`),
);

it.each(documents)('%s has lines of 100 columns, and phrases in its tables', document => {
  const wide: string[] = [];
  let isCode = false;
  for (const line of textOf(document).split('\n')) {
    if (/^\s*```/.test(line)) isCode = !isCode;
    else if (isCode) wide.push(...longer([line], CODE_COLUMNS));
    else if (line.startsWith('|')) wide.push(...longer(cellsOf(line), CELL_CHARACTERS));
    else wide.push(...longer([line], COLUMNS));
  }
  expect(wide).toEqual([]);
});

function textOf(document: string): string {
  const text = readFileSync(document, 'utf8');
  const record = RECORDS[document];
  return record === undefined ? text : text.slice(0, text.indexOf(record));
}

function longer(texts: readonly string[], length: number): string[] {
  return texts.filter(text => Array.from(text).length > length);
}

/** As they are shown: the address of a link is not. */
function cellsOf(line: string): string[] {
  const cells = line.replaceAll(/\]\([^)]*\)/g, ']').split(/(?<!\\)\|/);
  return cells.map(cell => cell.trim());
}
