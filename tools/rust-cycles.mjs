#!/usr/bin/env node
// Finds cycles of imports between the modules of each Rust crate below wasm/, which rustc allows. A module that contains another
// one counts like any other: its declaration of that module is not an import, but a use of what is in it is one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const crates = readdirSync('wasm', { withFileTypes: true })
    .map(({ name }) => join('wasm', name, 'src'))
    .filter(existsSync);
  const found = crates.flatMap(source => cyclesOf(source).map(cycle => ({ source, cycle })));
  for (const { source, cycle } of found) console.error(`${source}: ${cycle.join(' -> ')}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

/**
 * One cycle for each group of modules that import each other, as module paths from `crate`; the first is also the last.
 *
 * @param {string} source a crate's folder of sources
 * @returns {string[][]}
 */
export function cyclesOf(source) {
  const modules = readModules(source);
  const imports = new Map(Array.from(modules, ([path, text]) => [path, importsOf(path, text, modules)]));
  const cycles = [];
  const reported = new Set();
  for (const start of [...imports.keys()].sort()) {
    const cycle = reported.has(start) ? undefined : shortestCycle(start, imports);
    if (!cycle) continue;
    for (const path of cycle) reported.add(path);
    cycles.push(cycle);
  }
  return cycles;
}

function readModules(source) {
  const files = readdirSync(source, { recursive: true }).filter(name => name.endsWith('.rs'));
  return new Map(
    files.map(name => {
      const parts = name.replace(/\.rs$/, '').split(sep);
      if (['mod', 'lib', 'main'].includes(parts.at(-1))) parts.pop();
      return [['crate', ...parts].join('::'), simplified(readFileSync(join(source, name), 'utf8'))];
    }),
  );
}

/** Without comments, strings and characters, and with `a::{b, c}` written as `a::b, a::c`. */
function simplified(text) {
  let code = text.replace(/\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\.[^']*)'/g, ' ');
  const group = /([\w:]+)::\{([^{}]*)\}/g;
  while (code.search(group) >= 0)
    code = code.replace(group, (_, prefix, items) =>
      items
        .split(',')
        .filter(item => item.trim())
        .map(item => `${prefix}::${item.trim()}`)
        .join(', '),
    );
  return code;
}

function importsOf(module, code, modules) {
  const found = new Set();
  /** Where the inline modules begin that are open. */
  const inline = [];
  let depth = 0;
  for (const [word] of code.matchAll(/\bmod\s+\w+\s*\{|[{}]|(?<![\w:])[a-z_]\w*(?:::(?:\w+|\*))+/g)) {
    if (word === '}') {
      if (inline.at(-1) === --depth) inline.pop();
    } else if (word.endsWith('{')) {
      if (word !== '{') inline.push(depth);
      depth++;
    } else {
      const target = resolve(word, { module, inlineDepth: inline.length, modules });
      if (target && target !== module) found.add(target);
    }
  }
  return found;
}

/** The module that a path leads into; undefined outside of this crate. */
function resolve(path, { module, inlineDepth, modules }) {
  const segments = path.split('::');
  let at = module.split('::');
  let inline = inlineDepth;
  if (segments[0] === 'crate') at = [segments.shift()];
  else if (!['super', 'self'].includes(segments[0]) && !modules.has(`${module}::${segments[0]}`))
    return undefined;
  for (; ['super', 'self'].includes(segments[0]); segments.shift())
    if (segments[0] === 'super' && inline-- <= 0) at.pop();
  while (segments.length > 0 && modules.has([...at, segments[0]].join('::'))) at.push(segments.shift());
  return at.join('::');
}

function shortestCycle(start, imports) {
  const cameFrom = new Map();
  const queue = [start];
  for (const path of queue) {
    for (const next of imports.get(path) ?? []) {
      if (next === start) {
        const cycle = [start];
        for (let it = path; it !== start; it = cameFrom.get(it)) cycle.unshift(it);
        return [start, ...cycle];
      }
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, path);
      queue.push(next);
    }
  }
  return undefined;
}
