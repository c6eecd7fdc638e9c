import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { documentedModules } from './test/setup/documented-modules.js';
import { chunkGroups } from './tools/chunk-groups.js';
import { droppableClasses } from './tools/droppable-classes.js';
import { earlyChunks } from './tools/early-chunks.js';

const project = (name: string, timeoutMs: number, setupFiles: string[] = []) => ({
  extends: true as const,
  plugins: [documentedModules],
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`, ...(name === 'unit' ? ['relay/test/**/*.test.ts'] : [])],
    // Attacks take a minute, and a machine that does nothing else: they are a project of their own.
    exclude: [...configDefaults.exclude, 'relay/test/attacks/**'],
    testTimeout: timeoutMs,
    hookTimeout: Math.max(timeoutMs, 10_000),
    // Vitest's default of one second is too short for a busy machine.
    expect: { poll: { timeout: 10_000 } },
    setupFiles,
  },
});

const attacks = {
  extends: true as const,
  test: { name: 'attacks', include: ['relay/test/attacks/*.test.ts'], testTimeout: 60_000 },
};

/** Files that look at times: nothing else runs beside them. */
const TIMED = ['challenges', 'demo', 'engines', 'identity', 'keychain', 'odd-files', 'tunnel'].map(
  name => `test/browser/${name}.test.ts`,
);
const browser = project('browser', 180_000);
browser.test.exclude.push(...TIMED);
const browserTimed = project('browser-timed', 180_000);
Object.assign(browserTimed.test, { include: TIMED, maxWorkers: 1, sequence: { groupOrder: 1 } });

const libraries = project('libraries', 60_000, ['test/setup/web-socket.ts']);
// Node would give it the other one of the two builds of graphql.
Object.assign(libraries.test, { server: { deps: { inline: ['graphql-ws'] } } });

/**
 * What is loaded when it is needed: entries, so that a file has the names of its module and `import()` gives them as they are. An object
 * of them would bring Rolldown's runtime, a file of its own that browsers learn of last.
 */
const parts = {
  client: 'src/client/client.ts',
  'dry-run': 'src/client/dry-run.ts',
  challenges: 'src/authentication/challenges.ts',
  diagnostics: 'src/diagnostics/diagnostics.ts',
  'cookie-jar': 'src/http/cookies/cookie-jar.ts',
  'wasm-decoder': 'src/fetch/decoding/wasm-decoder.ts',
  protocol: 'src/websocket/protocol.ts',
  import: 'src/p12/import.ts',
  scrypt: 'src/p12/decryption/scrypt.ts',
  pkcs7: 'src/enroll/pkcs7.ts',
};

/** One literal `new URL('…', import.meta.url)` for each asset: the form that bundlers recognise. Vite's own nests two. */
const literalAssets = {
  name: 'literal-assets',
  apply: 'build' as const,
  enforce: 'pre' as const,
  transform(this: { emitFile(file: object): string }, code: string, id: string) {
    if (!code.includes('import.meta.url')) return null;
    return code.replace(/new URL\('([^']+\.(?:wasm|bin))', import\.meta\.url\)/g, (_, path: string) => {
      const file = join(dirname(id), path);
      const name = basename(file).replace('browser-mtls.wasm', 'engine.wasm');
      const asset = this.emitFile({ type: 'asset', fileName: name, source: readFileSync(file) });
      return `import.meta.ROLLUP_FILE_URL_${asset}`;
    });
  },
};

export default defineConfig({
  base: './',
  plugins: [
    literalAssets,
    droppableClasses,
    earlyChunks({
      entry: 'index.js',
      called: ['create-client', 'client'].map(name => `chunks/${name}.js`),
    }),
  ],
  build: {
    target: 'es2022',
    // Readable output: the bundler of the application minifies.
    minify: false,
    lib: {
      entry: {
        index: 'src/index.ts',
        elements: 'src/elements/index.ts',
        static: 'src/static.ts',
        connect: 'src/connect/index.ts',
        'service-worker': 'src/service-worker/index.ts',
        ...parts,
      },
      formats: ['es'],
    },
    rolldownOptions: {
      // A part exports what other parts need of it as well. No entry of the package has code that is shared.
      preserveEntrySignatures: 'allow-extension',
      output: {
        entryFileNames: ({ name }) => (name in parts ? 'chunks/[name].js' : '[name].js'),
        chunkFileNames: 'chunks/[name].js',
        // The .d.ts files have the comments. A page without a bundler need not fetch them.
        comments: { jsdoc: false },
        codeSplitting: { groups: chunkGroups(Object.values(parts)) },
      },
    },
  },
  test: {
    environment: 'node',
    projects: [
      project('unit', 20_000),
      attacks,
      project('interop', 60_000, ['test/setup/web-socket.ts']),
      libraries,
      project('pack', 180_000),
      project('docs', 300_000),
      project('bundlers', 600_000),
      browser,
      browserTimed,
    ],
  },
});
