export { loadEngine } from './engine/load.js';
export { MtlsError, type MtlsErrorCode } from './errors.js';
