import { resolve } from 'node:path';
import { build, type Plugin } from 'vite';
import { exampleText } from '../support/documented.js';

/** Stands for a module that has no file. */
const entry = resolve('test/libraries/entry.ts');
const exampleFile = (name: string) => resolve(`test/libraries/example-${name}.ts`);

/**
 * The script of a page, built as an application is: it exports what a module does, and these examples of a document. The package itself
 * is left out, for the page's import map.
 */
export async function pageScript(module: string, document: string, names: string[]): Promise<string> {
  const modules = [resolve(module), ...names.map(exampleFile)];
  const examples = new Map(names.map(name => [exampleFile(name), exampleText(document, name)]));
  const texts: Plugin = {
    name: 'texts',
    enforce: 'pre',
    resolveId: id => (id === entry || examples.has(id) ? id : undefined),
    load: id =>
      id === entry ? modules.map(it => `export * from ${JSON.stringify(it)};\n`).join('') : examples.get(id),
  };
  const built = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [texts],
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      lib: { entry, formats: ['es'] },
      rolldownOptions: {
        external: ['browser-mtls', 'browser-mtls/connect'],
        output: { codeSplitting: false },
      },
    },
  });
  const [{ output } = { output: [] }] = [built].flat() as { output: { code?: string }[] }[];
  return output[0]?.code ?? '';
}

/** A page that has what `/page.js` exports as `script`, and the built package under `/lib/`. */
export const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="importmap">
{ "imports": { "browser-mtls": "/lib/index.js", "browser-mtls/connect": "/lib/connect.js" } }
</script>
<script type="module">
import * as script from '/page.js';
globalThis.script = script;
document.title = 'ready';
</script>`;

/** What a page needs for a client of its own. */
export interface PageTask {
  tunnel: string;
  /** The server's. */
  origin: string;
  /** The .p12 file, in base64. */
  file: string;
  password: string;
  anchor: string;
}
