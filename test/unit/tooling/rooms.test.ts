import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

// The linter refuses cycles of files. This test refuses those of folders, at each level: a folder may import from another one, or
// from a file beside it, that does not import from it.

test.each(['src', 'relay/src'])('no folder of %s imports from one that imports from it', root => {
  const imports = new Map<string, Set<string>>();
  for (const [from, to] of importsBelow(root)) {
    const [importer, imported] = neighbours(from, to);
    imports.set(importer, (imports.get(importer) ?? new Set()).add(imported));
  }
  expect(imports.size).toBeGreaterThan(10);
  expect([...imports.keys()].filter(place => reached(place, imports).has(place))).toEqual([]);
});

function importsBelow(root: string): [from: string, to: string][] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(it => it.endsWith('.ts'));
  return files.flatMap(name => {
    const from = join(root, name);
    const found = readFileSync(from, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)\.js'/g);
    return Array.from(found, ([, to = '']): [string, string] => [from, `${join(dirname(from), to)}.ts`]);
  });
}

/** The two places at which the paths part, each a file or a folder of the same folder. */
function neighbours(from: string, to: string): [string, string] {
  const [a, b] = [normalize(from).split('/'), normalize(to).split('/')];
  const end = a.findIndex((part, i) => part !== b[i]) + 1;
  return [a.slice(0, end).join('/'), b.slice(0, end).join('/')];
}

function reached(start: string, imports: Map<string, Set<string>>): Set<string> {
  const found = new Set<string>();
  const queue = [start];
  for (const place of queue)
    for (const next of imports.get(place) ?? []) {
      if (found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  return found;
}
