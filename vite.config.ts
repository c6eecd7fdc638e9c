import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { documentedModules } from './test/setup/documented-modules.js';

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

const libraries = project('libraries', 60_000, ['test/setup/web-socket.ts']);
// Node would give it the other one of the two builds of graphql.
Object.assign(libraries.test, { server: { deps: { inline: ['graphql-ws'] } } });

/** Files of their own, so that a bundler leaves out whole rooms that an application does not use (`"sideEffects"` in package.json). */
const rooms = {
  'create-client': 'src/client/create-client.ts',
  'create-identity': 'src/enroll/create-identity.ts',
  enroll: 'src/enroll/authority.ts',
  'evaluate-trust': 'src/trust/evaluate-trust.ts',
  'identity-store': 'src/store/identity-store.ts',
  'open-pkcs12': 'src/p12/open-pkcs12.ts',
  renew: 'src/enroll/renew.ts',
  'step-ca': 'src/enroll/step-ca.ts',
  'websocket-tunnel': 'src/tunnel/websocket-tunnel.ts',
};

interface Output {
  type: string;
  name: string;
  fileName: string;
  imports?: string[];
  dynamicImports?: string[];
}

/** Rooms whose code went into chunks leave a file that only names them. */
const withoutEmptyRooms = {
  name: 'without-empty-rooms',
  generateBundle(_options: unknown, bundle: Record<string, Output>) {
    const chunks = Object.values(bundle).filter(it => it.type === 'chunk');
    const imported = new Set(
      chunks.flatMap(({ imports = [], dynamicImports = [] }) => [...imports, ...dynamicImports]),
    );
    for (const { name, fileName } of chunks)
      if (name in rooms && !imported.has(fileName)) delete bundle[fileName];
  },
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
  plugins: [literalAssets, withoutEmptyRooms],
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
        ...rooms,
      },
      formats: ['es'],
    },
    rolldownOptions: {
      output: {
        entryFileNames: ({ name }) => (name in rooms ? 'chunks/[name].js' : '[name].js'),
        chunkFileNames: 'chunks/[name].js',
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
      project('browser', 180_000),
    ],
  },
});
