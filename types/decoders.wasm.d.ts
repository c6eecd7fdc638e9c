import type { WasmSource } from '../dist/index.js';

/** The file as `configure` takes it. Most bundlers give its address, some a compiled module. */
declare const decoders: WasmSource;
export default decoders;
