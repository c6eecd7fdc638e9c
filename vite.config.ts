import { chmodSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { resolve } from 'node:path';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { documentedModules } from './test/setup/documented-modules.js';

const isExternal = (id: string) => id === 'ws' || id.startsWith('node:') || builtinModules.includes(id);

/** The relay's command can be run right after a build, not only after npm has installed it. */
const executableCommand: Plugin = {
  name: 'executable-command',
  writeBundle: ({ dir = 'dist' }) => chmodSync(resolve(dir, 'relay-cli.js'), 0o755),
};

const project = (name: string, timeoutMs: number, setupFiles: string[] = []) => ({
  extends: true as const,
  plugins: [documentedModules],
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: Math.max(timeoutMs, 10_000),
    setupFiles,
  },
});

export default defineConfig({
  base: './',
  plugins: [executableCommand],
  build: {
    target: 'es2022',
    // Readable output: the bundler of the application minifies.
    minify: false,
    lib: {
      entry: {
        index: 'src/index.ts',
        elements: 'src/elements/index.ts',
        relay: 'src/relay/index.ts',
        'relay-cli': 'src/relay/cli.ts',
      },
      formats: ['es'],
    },
    rolldownOptions: {
      external: isExternal,
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
      project('interop', 60_000, ['test/setup/web-socket.ts']),
      project('pack', 180_000),
      project('browser', 180_000),
    ],
  },
});
