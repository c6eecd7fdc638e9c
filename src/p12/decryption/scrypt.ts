/** Loaded with the first file that uses it. */
export { scryptAsync } from '@noble/hashes/scrypt.js';
