import { fork } from 'node:child_process';
import { once } from 'node:events';

/** @typedef {import('./proxy.mjs').Path} Path */
/** @typedef {import('./direction.mjs').Faults} Faults */
/** @typedef {import('./direction.mjs').Cut} Cut */

/** What has gone through a proxy so far.
 * @typedef {{ connections: number, passedBytes: { toServer: number, toClient: number } }} Traffic
 */

/**
 * Starts a proxy to a port of this machine in a process of its own, so that what it does with each byte costs the tested program
 * no turn of its event loop.
 *
 * @param {number} targetPort
 * @param {Path} [path]
 */
export async function startFaultProxy(targetPort, path = {}) {
  const child = fork(new URL('./main.mjs', import.meta.url), [JSON.stringify({ targetPort, path })], {
    execArgv: [],
  });
  const waiting = new Map();
  let lastId = 0;
  child.on('message', ({ id, ...answer }) => {
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  const answerTo = id => new Promise(resolve => waiting.set(id, resolve));
  child.once('exit', () => {
    for (const resolve of waiting.values()) resolve({});
  });
  const { port } = await answerTo(0);
  if (port === undefined) throw new Error('the fault proxy did not start');
  const call = (name, value) => {
    const id = ++lastId;
    child.send({ id, call: name, value });
    return answerTo(id);
  };

  return {
    /** @type {number} */
    port,
    /** Takes another path from now on, for the connections that are open too; offsets go on counting.
     * @param {Path} next
     * @returns {Promise<Traffic>}
     */
    set: next => call('set', next),
    /** Ends all connections at once.
     * @param {Exclude<Cut, 'half-fin'>} how
     * @returns {Promise<Traffic>}
     */
    cutAll: how => call('cutAll', how),
    /** @returns {Promise<Traffic>} */
    traffic: () => call('traffic'),
    async stop() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}

/**
 * A path whose round trip takes so long.
 *
 * @param {number} roundTripMs
 * @returns {Path}
 */
export function distance(roundTripMs) {
  return { toServer: { delayMs: roundTripMs / 2 }, toClient: { delayMs: roundTripMs / 2 } };
}
