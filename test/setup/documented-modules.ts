import { resolve } from 'node:path';
import type { Plugin } from 'vite';
import { exampleText } from '../support/documented.js';

const REQUEST = 'virtual:documented/';
/** Behind the document's name; what follows names the example. */
const MARK = '@example-';

/** The package's own modules, by their names. */
const OWN: Record<string, string | undefined> = {
  'browser-mtls': 'src/index.ts',
  'browser-mtls/connect': 'src/connect/index.ts',
};
/** Whose imports lead to the libraries that the examples name. */
const LIBRARIES = resolve('test/libraries/example.ts');

/** Makes modules of the examples in the documents: what the tests run is the text that is read. */
export const documentedModules: Plugin = {
  name: 'documented-modules',
  enforce: 'pre',
  resolveId(id, importer = '') {
    if (importer.includes(MARK)) return OWN[id] ? resolve(OWN[id]) : this.resolve(id, LIBRARIES);
    if (!id.startsWith(REQUEST)) return undefined;
    const [, document = '', name] = /^(.+)\/(\w+)$/.exec(id.slice(REQUEST.length)) ?? [];
    return `/${document}${MARK}${name}.ts`;
  },
  load(id) {
    // Vite's own addresses begin at the root of the project.
    const [document = '', name] = id.split(MARK);
    return name === undefined ? undefined : exampleText(`.${document}`, name.replace(/\.ts$/, ''));
  },
};
