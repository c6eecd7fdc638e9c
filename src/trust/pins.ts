import type { KeyPins } from '../engine/trust.js';
import { checkHostPatterns, hostsAllow } from '../identity/hosts.js';
import { fromBase64 } from '../util/encoding.js';

/**
 * Pins of a host. A pin is the SHA-256 of a SubjectPublicKeyInfo (RFC 7469, section 2.4): `sha256/BASE64`, `pin-sha256="BASE64"`, or plain
 * base64 as in `Certificate.spkiPin`.
 *
 * - A list: one certificate of the verified path must have one of these keys. Several keys are backups for each other.
 * - An object with `replacesAnchors`: the server's own key must be one of these, and nothing else is checked (RFC 7671, section 5.1). This is
 *   for devices that signed their certificate themselves.
 */
export type HostPins =
  | readonly string[]
  | {
      /** The pins; one is enough. */
      sha256: readonly string[];
      /** Always true: no anchor, name, date or revocation is checked. */
      replacesAnchors: true;
    };

/** Pins by host pattern (`device.local`, `*.example.com`, with or without `:port`). All patterns that match a host count together. */
export type PinsByHost = Readonly<Record<string, HostPins>>;

/** Pins, read. */
export class PinRules {
  #rules: { pattern: string; pins: KeyPins }[];

  /**
   * @param option the option's name in messages
   * @throws TypeError for a malformed pattern or pin, or a host without any pin
   */
  constructor(byHost: PinsByHost = {}, option = 'pins') {
    if (byHost === null || typeof byHost !== 'object' || Array.isArray(byHost))
      throw new TypeError(`"${option}" must be an object with host patterns as its keys`);
    const patterns = Object.keys(byHost);
    checkHostPatterns(patterns, option);
    this.#rules = patterns.map(pattern => ({ pattern, pins: readPins(byHost[pattern] ?? [], option) }));
  }

  /** Undefined: nothing is pinned for that host. */
  for(hostname: string, port: number | undefined): KeyPins | undefined {
    const fitting = this.#rules.filter(({ pattern }) => fits(pattern, hostname, port)).map(it => it.pins);
    if (fitting.length === 0) return undefined;
    return {
      sha256: fitting.flatMap(it => it.sha256),
      // A pattern that asks for anchors as well is not weakened by another that does not.
      replacesAnchors: fitting.every(it => it.replacesAnchors),
    };
  }
}

/** Without a port, those patterns fit that have none. */
function fits(pattern: string, hostname: string, port: number | undefined): boolean {
  return hostsAllow([pattern], hostname, port ?? 0);
}

/** @throws TypeError */
export function readPins(pins: HostPins, option = 'pins'): KeyPins {
  const isList = Array.isArray(pins);
  const { sha256, replacesAnchors } = isList
    ? { sha256: pins as readonly string[], replacesAnchors: false }
    : (pins as Exclude<HostPins, readonly string[]>);
  if (!Array.isArray(sha256) || sha256.length === 0)
    throw new TypeError(`"${option}" must have a list of one pin or more for each host`);
  if (!isList && replacesAnchors !== true)
    throw new TypeError(
      `"${option}" must have { sha256, replacesAnchors: true }, or a list alone, for each host`,
    );
  return { sha256: sha256.map(it => readPin(it, option)), replacesAnchors };
}

const SHA256_BYTES = 32;

function readPin(pin: string, option: string): Uint8Array {
  const text = typeof pin === 'string' ? pin.trim() : '';
  const base64 = /^sha256\/(.*)$/.exec(text)?.[1] ?? /^pin-sha256="(.*)"$/.exec(text)?.[1] ?? text;
  const digest = fromBase64(base64);
  if (digest?.length === SHA256_BYTES) return digest;
  throw new TypeError(
    `"${option}" must be the base64 of a SHA-256, for instance sha256/ and 44 characters, not ${JSON.stringify(pin)}`,
  );
}
