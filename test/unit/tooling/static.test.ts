import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('browser-mtls/static brings every lazy part along', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(it => it.endsWith('.ts'));
  const parts = files.flatMap(file =>
    Array.from(
      readFileSync(`src/${file}`, 'utf8').matchAll(/const (\w+) = .*new Part\b/g),
      ([, name]) => name,
    ),
  );
  const provided = readFileSync('src/static.ts', 'utf8').matchAll(/^(\w+)\.provide\(/gm);
  expect(parts.length).toBeGreaterThan(5);
  expect(Array.from(provided, ([, name]) => name).sort()).toEqual(parts.sort());
});
