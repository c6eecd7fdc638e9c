import { fileURLToPath } from 'node:url';
import type { KeyPair } from '../openssl-pki.js';
import { startPython } from '../python.js';

const SCRIPT = fileURLToPath(new URL('echo.py', import.meta.url));

/** A WebSocket server by Python's `websockets`, which insists on a client certificate. */
export function startPythonEcho(credentials: { server: KeyPair; clientCa: string }) {
  return startPython(SCRIPT, credentials);
}
