import { networkInterfaces } from 'node:os';
import { type IpAddress, parseIpAddress } from './ip-address.js';

/** How long the list of interfaces is believed. */
const REREAD_AFTER_MS = 5000;

let own = new Set<string>();
let readAtMs = Number.NEGATIVE_INFINITY;

/** Whether an interface of this machine has the address. */
export function isOwnAddress(address: IpAddress): boolean {
  if (performance.now() - readAtMs > REREAD_AFTER_MS) {
    readAtMs = performance.now();
    const interfaces = Object.values(networkInterfaces()).flatMap(each => each ?? []);
    own = new Set(interfaces.flatMap(each => parseIpAddress(each.address)?.text ?? []));
  }
  return own.has(address.text);
}
