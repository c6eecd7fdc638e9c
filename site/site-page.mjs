import { posix } from 'node:path';

/** Documents that are not in `docs`, by their place on the site. */
const PLACES = {
  'README.md': 'index.md',
  'relay/README.md': 'relay.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'reporting.md',
  'CHANGELOG.md': 'changelog.md',
};

/** A document as a page of the site: where it goes, and its text with links that fit there. */
export function sitePage(source, text) {
  const folder = posix.dirname(source);
  const linked = text.replace(/\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)/g, (_, target, anchor = '') => {
    const path = posix.join(folder, target);
    const place = placeOf(path);
    return place ? `](./${place}${anchor})` : `](${REPOSITORY}/${path}${anchor})`;
  });
  return { path: placeOf(source), text: linked };
}

/** Where files are that are not part of the site. */
const REPOSITORY = 'https://www.npmjs.com/package/browser-mtls?activeTab=code#';

function placeOf(path) {
  return PLACES[path] ?? (/^docs\/[\w.-]+\.md$/.test(path) ? posix.basename(path) : undefined);
}
