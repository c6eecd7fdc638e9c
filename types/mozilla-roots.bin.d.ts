import type { RootsSource } from '../dist/index.js';

/** What the bundler makes of the file, as `configure` takes it: most give its address, some its bytes. */
declare const mozillaRoots: RootsSource;
export default mozillaRoots;
