import type { WasmSource } from '../dist/index.js';

/** What the bundler makes of the file, as `configure` takes it: most give its address, some a compiled module. */
declare const decoders: WasmSource;
export default decoders;
