import { builtinModules } from 'node:module';
import { defineConfig } from 'vitest/config';

const isExternal = (id: string) => id === 'ws' || id.startsWith('node:') || builtinModules.includes(id);

export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    // Readable output: the bundler of the application minifies.
    minify: false,
    lib: {
      entry: { index: 'src/index.ts', relay: 'src/relay/index.ts', 'relay-cli': 'src/relay/cli.ts' },
      formats: ['es'],
    },
    rolldownOptions: {
      external: isExternal,
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name].js',
        assetFileNames: 'engine[extname]',
      },
    },
  },
  test: {
    include: ['test/unit/**/*.test.ts'],
    environment: 'node',
  },
});
