import type { AssetSource } from '../dist/index.js';

/** The file as `configure` takes it. Most bundlers give its address, some its bytes. */
declare const mozillaRoots: AssetSource;
export default mozillaRoots;
