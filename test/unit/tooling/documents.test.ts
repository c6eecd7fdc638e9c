import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'relay/README.md'].concat(
  readdirSync('docs').map(name => `docs/${name}`),
);
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

/** As GitHub makes them of headings. */
function anchorsOf(document: string): string[] {
  const headings = readFileSync(document, 'utf8').matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

it.each(documents)('the links of %s lead somewhere', document => {
  const links = readFileSync(document, 'utf8').matchAll(/\]\((?!\w+:)([^)#]*)#?([^)]*)\)/g);
  for (const [link, path = '', anchor = ''] of links) {
    const target = path === '' ? document : join(dirname(document), path);
    expect(existsSync(target), link).toBe(true);
    if (anchor !== '') expect(anchorsOf(target), link).toContain(anchor);
  }
});

it.each(documents)('the commands of %s exist', document => {
  const named = readFileSync(document, 'utf8').matchAll(/npm run (?:--?\w+ )*([\w-]+)/g);
  for (const [command, name = ''] of named) expect(Object.keys(scripts), command).toContain(name);
});

it.each(documents)('the files that %s names are there', document => {
  const named = readFileSync(document, 'utf8').matchAll(
    /`((?:src|relay(?!\/dist)|wasm|test|tools|demo|docs)\/[\w./-]*)`/g,
  );
  for (const [, path = ''] of named) expect(existsSync(path), path).toBe(true);
});
