#!/usr/bin/env node
// In a package's folder: removes the declarations in dist that no public name needs, nearly half of them.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
const needed = new Set();
for (const { types } of Object.values(exports)) if (types) visit(join(types));

const declarations = readdirSync('dist', { recursive: true }).filter(path => path.endsWith('.d.ts'));
for (const path of declarations) if (!needed.has(join('dist', path))) rmSync(join('dist', path));
// tsc would take its output for complete: the relay's build needs all of it.
rmSync('dist/types.tsbuildinfo', { force: true });

/** A declaration, and what it imports. */
function visit(path) {
  if (needed.has(path)) return;
  needed.add(path);
  const imports = readFileSync(path, 'utf8').matchAll(/(?:from |import |import\()["'](\.[^"']+)\.js["']/g);
  for (const [, imported] of imports) visit(join(dirname(path), `${imported}.d.ts`));
}
