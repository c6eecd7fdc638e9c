import { connect, createServer } from 'node:net';
import { Direction } from './direction.mjs';

/**
 * The path between two ends. What is not said passes unharmed.
 *
 * @typedef {object} Path
 * @property {import('./direction.mjs').Faults} [toServer]
 * @property {import('./direction.mjs').Faults} [toClient]
 * @property {boolean} [refuses] whether new connections are reset at once
 */

/**
 * A TCP proxy on 127.0.0.1 that passes connections to a port of this machine by a path with faults.
 *
 * The handshake of TCP takes its round trip too: what a client sends leaves one round trip after it connected.
 */
export class FaultProxy {
  /** @type {Path} */
  #path;
  #targetPort;
  #server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket));
  #sockets = new Set();
  #links = [];
  #seed = 1;
  connections = 0;

  /**
   * @param {number} targetPort
   * @param {Path} path
   */
  constructor(targetPort, path) {
    this.#targetPort = targetPort;
    this.#path = path;
  }

  /** @returns {Promise<number>} the port */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve(this.#server.address().port));
    });
  }

  /** Takes another path from now on, for the connections that are open too. */
  set(path) {
    this.#path = path;
  }

  /** Ends all connections at once: by a reset, or (`fin`) orderly. */
  cutAll(how) {
    for (const link of this.#links) link.end(how);
  }

  /** Bytes that came in so far. */
  get takenBytes() {
    return this.#sums('takenBytes');
  }

  /** Bytes that were passed on so far. */
  get passedBytes() {
    return this.#sums('passedBytes');
  }

  #sums(what) {
    const sum = name => this.#links.reduce((total, link) => total + link[name][what], 0);
    return { toServer: sum('toServer'), toClient: sum('toClient') };
  }

  close() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client) {
    this.connections++;
    this.#watch(client);
    if (this.#path.refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({
      port: this.#targetPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#watch(server);
    const { toServer, toClient } = this.#path;
    const openAt = performance.now() + (toServer?.delayMs ?? 0) + (toClient?.delayMs ?? 0);
    const direction = (from, to, name) =>
      new Direction(from, to, {
        faults: () => this.#path[name] ?? {},
        random: () => this.#random(),
        openAt,
        cut: how => (how === 'half-fin' ? to.end() : link.end(how)),
      });
    const link = {
      toServer: direction(client, server, 'toServer'),
      toClient: direction(server, client, 'toClient'),
      end(how) {
        link.toServer.stop();
        link.toClient.stop();
        for (const socket of [client, server]) {
          if (how === 'rst') socket.resetAndDestroy();
          else socket.end();
        }
      },
    };
    this.#links.push(link);
  }

  #watch(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** The same numbers in each run (a linear congruential generator). */
  #random() {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }
}
