export type { RelayEvent } from './events.js';
export type { RelayDirection, RelayOptions } from './options.js';
export { createRelay, type Relay } from './relay.js';
