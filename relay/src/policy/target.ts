import { domainToASCII } from 'node:url';
import type { HostPort } from '../../../src/util/host-port.js';
import { type IpAddress, parseIpAddress } from './addresses/ip-address.js';

/** A host and port in the one spelling that is compared and then connected to. */
export interface Target extends HostPort {
  /** Of a host that is an address. */
  address: IpAddress | undefined;
  /** The name ended in the root's dot: a search list does not apply. */
  absolute: boolean;
}

/** Reads what a page asked for; `undefined` for what is no plain name or address. */
export function parseTarget({ hostname, port }: HostPort): Target | undefined {
  const address = parseIpAddress(hostname);
  if (address) return { hostname: address.text, port, address, absolute: true };
  const name = normaliseName(hostname);
  return name === undefined ? undefined : { hostname: name, port, address, absolute: hostname.endsWith('.') };
}

/**
 * The one spelling of a DNS name: in lower case, without the dot of the root; `undefined` for what is no plain name.
 *
 * A resolver would also read `0x7f.1`, `2130706433` or `127.1` as an address, so a name that ends in a number (WHATWG URL,
 * "ends in a number") is refused. So is an `xn--` label that does not decode (UTS #46).
 */
export function normaliseName(hostname: string): string | undefined {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  // Lower case makes a k of the Kelvin sign.
  if (name.length > 253 || !/^[\x21-\x7e]*$/.test(hostname)) return undefined;
  const labels = name.split('.');
  if (!labels.every(isLabel)) return undefined;
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? undefined : name;
}

function isLabel(label: string): boolean {
  if (!/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) return false;
  return !label.startsWith('xn--') || domainToASCII(label) === label;
}

/** Whether a name is `localhost` or below it, which stand for the loopback addresses (RFC 6761 section 6.3). */
export function isLocalhost(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}
