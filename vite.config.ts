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

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    // Readable output: the bundler of the application minifies.
    minify: false,
    lib: {
      entry: {
        index: 'src/index.ts',
        elements: 'src/elements/index.ts',
      },
      formats: ['es'],
    },
    rolldownOptions: {
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name].js',
        assetFileNames: ({ names: [name = ''] }) =>
          name === 'browser-mtls.wasm' ? 'engine.wasm' : '[name][extname]',
      },
    },
  },
  test: {
    environment: 'node',
    setupFiles: ['test/setup/node.ts'],
    projects: [
      project('unit', 20_000),
      attacks,
      project('interop', 60_000, ['test/setup/web-socket.ts']),
      project('pack', 180_000),
      project('browser', 180_000),
    ],
  },
});
