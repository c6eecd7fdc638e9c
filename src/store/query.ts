import { comparableText, issuedByOneOf } from '../identity/certificates/distinguished-names.js';
import { hostsAllow } from '../identity/hosts.js';
import type { StoredIdentity } from '../identity/types.js';
import { viewOf } from '../util/bytes.js';
import { checkOptionNames } from '../util/options.js';

/** A search for identities. All given conditions must hold. */
export interface IdentityQuery {
  /** The id in the store. */
  id?: string;
  /** The control `label`. */
  label?: string;
  /** The file's localKeyId in hex, in upper or lower case. */
  keyId?: string;
  /**
   * The subject of the identity's own certificate (RFC 4514). Names are compared as OpenSSL compares them (RFC 5280, section 7.1):
   * escapes, spaces and the case of ASCII letters make no difference.
   */
  subject?: string;
  /**
   * Text: the issuer of the identity's own certificate, compared as `subject` is. DER names, as servers send them: one of these authorities
   * has issued a certificate in one of the identity's chains.
   */
  issuer?: string | BufferSource | BufferSource[];
  /** A `host` or `host:port` (default 443) that the control `hosts` allows. */
  host?: string;
  /** A time within the validity of the identity's own certificate. */
  validAt?: Date;
}

type Test = (identity: StoredIdentity) => boolean;

const text =
  (read: (identity: StoredIdentity) => string | undefined) =>
  (value: unknown): Test | undefined =>
    typeof value === 'string' ? identity => read(identity) === value : undefined;

const name =
  (read: (identity: StoredIdentity) => string) =>
  (value: unknown): Test | undefined => {
    if (typeof value !== 'string') return undefined;
    const wanted = comparableText(value);
    return identity => comparableText(read(identity)) === wanted;
  };

/** Each makes a test of a value, or nothing of a value of the wrong type. */
const tests: Record<keyof IdentityQuery, (value: unknown) => Test | undefined> = {
  id: text(it => it.id),
  label: text(it => it.controls.label),
  keyId: value => text(it => it.keyId)(typeof value === 'string' ? value.toLowerCase() : value),
  subject: name(it => it.certificate.subject),
  issuer(value) {
    if (typeof value === 'string') return name(it => it.certificate.issuer)(value);
    const names = (Array.isArray(value) ? value : [value]).map(viewOf);
    if (!names.every(name => name !== undefined)) return undefined;
    const isWanted = issuedByOneOf(names);
    return ({ chain, otherChains = [] }) => [chain, ...otherChains].flat().some(({ der }) => isWanted(der));
  },
  host(value) {
    const address = typeof value === 'string' ? parseHost(value) : undefined;
    return address && (it => hostsAllow(it.controls.hosts ?? [], address.hostname, address.port));
  },
  validAt(value) {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
    return ({ certificate: { notBefore, notAfter } }) => notBefore <= value && value <= notAfter;
  },
};

/**
 * One test of a whole query. An unknown name or an undefined value is refused rather than ignored, because ignoring it
 * would widen the query, and queries also say what to delete.
 *
 * @throws TypeError
 */
export function compileQuery(query: IdentityQuery): Test {
  checkOptionNames(query, tests, 'query.');
  const all = Object.entries(query).map(([name, value]) => {
    const test = tests[name as keyof IdentityQuery](value);
    if (!test) throw new TypeError(`"query.${name}" must be of the type that IdentityQuery gives it`);
    return test;
  });
  return identity => all.every(test => test(identity));
}

function parseHost(host: string): { hostname: string; port: number } | undefined {
  const [, hostname, port] = /^(\[[^\]]+\]|[^:/\s]+)(?::(\d{1,5}))?$/.exec(host) ?? [];
  return hostname === undefined ? undefined : { hostname, port: Number(port ?? 443) };
}
