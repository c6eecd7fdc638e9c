import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The demo page. It uses the library's sources, so that a change there shows at once. */
export default defineConfig({
  root: path('.'),
  base: './',
  publicDir: false,
  resolve: {
    alias: {
      'browser-mtls/elements': path('../src/elements/index.ts'),
      'browser-mtls': path('../src/index.ts'),
    },
  },
  // Named, as they are imported only when a file is opened: found that late, vite would reload the page in the middle of it.
  optimizeDeps: { include: ['@noble/hashes/scrypt.js', 'asn1js', 'idb', 'pkijs'] },
  server: {
    fs: { allow: [path('..')], deny: ['**/.pki/**', '**/.git/**', '.env*', '*.{key,pem,p12}'] },
    // The overlay needs inline styles, which the page's Content-Security-Policy forbids; errors are in the console.
    hmr: { overlay: false },
  },
  build: { outDir: path('dist'), emptyOutDir: true, target: 'es2022' },
});
