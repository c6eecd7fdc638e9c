import { http } from './http.mjs';
import { names } from './names.mjs';
import { streams } from './streams.mjs';
import { tokens } from './tokens.mjs';
import { tunnel } from './tunnel.mjs';
import { websocket } from './websocket.mjs';

/** Each attack by its kind. They go on until their process ends. */
export const attacks = { ...http, ...websocket, ...tunnel, ...streams, ...names, ...tokens };
