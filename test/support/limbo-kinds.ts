import type { KeyPair } from './openssl-pki.js';
import { CA, type CrlOptions, daysFromNow, type IssueOptions, SERVER, type TrustPki } from './trust-pki.js';

export const HOST = 'host.example.com';

/** A chain of a kind that x509-limbo has, and what is asked of it. */
export interface Asked {
  /** The certificate in question first. */
  chain: KeyPair[];
  anchor: KeyPair;
  hostname?: string;
  purpose?: 'client';
  crls?: string[];
  maxChainLength?: number;
}

export interface Kind {
  /** As x509-limbo names its own. */
  name: string;
  wanted: 'trusted' | 'refused';
  make(forge: Forge): Asked;
}

/** Makes certificates; those of a root and its authority are what is wanted where nothing else is said. */
export class Forge {
  readonly #pki: TrustPki;
  readonly root: KeyPair;

  constructor(pki: TrustPki) {
    this.#pki = pki;
    this.root = this.ca();
  }

  /** An authority: a root, or below `by`. */
  ca(extensions: string[] = CA, more: Partial<IssueOptions> = {}): KeyPair {
    const subject = more.by ? '/O=Tests/CN=Authority' : '/O=Tests/CN=Root';
    return this.#pki.issue({ subject, extensions, ...more });
  }

  leaf(by: KeyPair, extensions: string[] = named(), more: Partial<IssueOptions> = {}): KeyPair {
    return this.#pki.issue({ by, subject: '/O=Tests/CN=Leaf', extensions, ...more });
  }

  crl(by: KeyPair, revoked: KeyPair[], options?: CrlOptions): string {
    return this.#pki.crl(by, revoked, options);
  }

  /** A certificate right below a root. */
  below(anchor: KeyPair, extensions?: string[], more?: Partial<IssueOptions>): Asked {
    return { chain: [this.leaf(anchor, extensions, more)], anchor, hostname: HOST };
  }

  /** A certificate, its authority and the root. */
  through(authority: string[], extensions?: string[], more?: Partial<IssueOptions>): Asked {
    const middle = this.ca(authority, { by: this.root });
    return { chain: [this.leaf(middle, extensions, more), middle], anchor: this.root, hostname: HOST };
  }

  /** The same below authorities with these extensions, from the root down. */
  line(...authorities: string[][]): Asked {
    const chain: KeyPair[] = [];
    let by = this.root;
    for (const [at, extensions] of authorities.entries()) {
      by = this.ca(extensions, { by, subject: `/O=Tests/CN=Authority ${at}` });
      chain.unshift(by);
    }
    return { chain: [this.leaf(by), ...chain], anchor: this.root, hostname: HOST };
  }
}

/** Extensions of a server's certificate with these names. */
export function named(...names: string[]): string[] {
  return [...SERVER, `subjectAltName=${names.length > 0 ? names.join(',') : `DNS:${HOST}`}`];
}

export function constrained(constraints: string): string[] {
  const [value, ...sections] = constraints.split('\n');
  return [...CA, `nameConstraints=critical,${value}`, ...sections];
}

export function pathLength(limit: number): string[] {
  return [`basicConstraints=critical,CA:TRUE,pathlen:${limit}`, 'keyUsage=critical,keyCertSign,cRLSign'];
}

export const PAST: [string, string] = [daysFromNow(-9), daysFromNow(-2)];
export const FUTURE: [string, string] = [daysFromNow(2), daysFromNow(9)];
/** A section for `dirName:org`. */
export const ORGANIZATION = '[org]\norganizationName=Tests';
export const OTHER_ORGANIZATION = '[org]\norganizationName=Others';
