import { chmodSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The command runs right after a build, not only after npm has installed it. */
const executableCommand: Plugin = {
  name: 'executable-command',
  writeBundle: ({ dir = join(folder, 'dist') }) => chmodSync(join(dir, 'cli.js'), 0o755),
};

/** Bundles the relay with the wire format of `src/tunnel`; packages stay dependencies. */
export default defineConfig({
  root: folder,
  plugins: [executableCommand],
  build: {
    target: 'node20',
    minify: false,
    lib: { entry: { index: 'src/index.ts', cli: 'src/cli.ts' }, formats: ['es'] },
    rolldownOptions: {
      external: id => id === 'ws' || id === 'jose' || id.startsWith('node:') || builtinModules.includes(id),
      // All in one folder: the command finds package.json one folder up.
      output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    },
  },
});
