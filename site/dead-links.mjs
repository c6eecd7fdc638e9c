import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The links of a built site that lead nowhere, files and anchors, as `page: address`. */
export function deadLinks(site) {
  const pages = readdirSync(site, { recursive: true }).filter(name => name.endsWith('.html'));
  const idsByFile = new Map();
  const idsOf = file => {
    if (!idsByFile.has(file)) idsByFile.set(file, new Set(attributes(readFileSync(file, 'utf8'), 'id')));
    return idsByFile.get(file);
  };
  return pages.flatMap(page =>
    attributes(withoutScripts(readFileSync(join(site, page), 'utf8')), 'href')
      .filter(address => !/^\w+:|^\/\//.test(address))
      .filter(address => !leadsSomewhere(site, page, address, idsOf))
      .map(address => `${page}: ${address}`),
  );
}

function leadsSomewhere(site, page, address, idsOf) {
  const [path, anchor] = address.split('#').map(decodeURIComponent);
  const from = path.startsWith('/') ? join(site, path) : join(site, dirname(page), path);
  const candidates = path === '' ? [join(site, page)] : [from, `${from}.html`, join(from, 'index.html')];
  const file = candidates.find(it => existsSync(it) && statSync(it).isFile());
  if (!file) return false;
  return !anchor || !file.endsWith('.html') || idsOf(file).has(anchor);
}

function withoutScripts(html) {
  return html.replace(/<script\b[\s\S]*?<\/script>/g, '');
}

function attributes(html, name) {
  const found = html.matchAll(new RegExp(`<[^>]*\\s${name}="([^"]*)"`, 'g'));
  return Array.from(found, ([, value]) => value.replaceAll('&amp;', '&'));
}
