/** @module relay */

export type { JwtOptions } from './admission/jwt/jwt.js';
export type { JwtKeyOptions } from './admission/jwt/jwt-keys.js';
export type { RelayToken } from './admission/tokens.js';
export type { RelayEvent } from './events.js';
export type { RelayLimits } from './limits.js';
export type { RelayDirection, RelayOptions } from './options.js';
export { createRelay, type Relay } from './relay.js';
