import { withoutBrackets } from '../util/host-port.js';
// Subject alternative names (RFC 5280, section 4.2.1.6), from the form of `Certificate.subjectAltNames` to DER.
import { type Der, element, objectIdentifier, sequence, Tag, text } from './der.js';

/** GeneralName's context tags. */
const Name = { other: 0xa0, email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;

const USER_PRINCIPAL_NAME = '1.3.6.1.4.1.311.20.2.3';

const encoders = {
  dns: (value: string) => text(Name.dns, canonicalDns(value)),
  email: (value: string) => text(Name.email, canonicalEmail(value)),
  uri: (value: string) => text(Name.uri, checkedUri(value)),
  ip: (value: string) => element(Name.ip, addressOctets(value)),
  upn: (value: string) =>
    element(Name.other, objectIdentifier(USER_PRINCIPAL_NAME), element(0xa0, text(Tag.utf8String, value))),
};

type Kind = keyof typeof encoders;

/**
 * The GeneralName of `DNS:…`, `email:…`, `URI:…`, `IP:…` or `UPN:…`; without a kind it is recognised.
 *
 * @throws TypeError when it is none
 */
function encodeAltName(name: string): Der {
  const [kind, value] = split(name);
  if (value === '') throw new TypeError('"subjectAltNames" must not have an empty name');
  return encoders[kind](value);
}

/** Whether a name of a certificate is of a kind that `encodeAltName` knows, and is well-formed. */
export function isEncodable(name: string): boolean {
  if (!/^(?:DNS|email|URI|IP|UPN):/i.test(name)) return false;
  try {
    encodeAltName(name);
    return true;
  } catch {
    return false;
  }
}

/** The names' GeneralNames. */
export function encodeAltNames(names: readonly string[]): Der {
  return sequence(...[...new Set(names)].map(encodeAltName));
}

function split(name: string): [Kind, string] {
  const [, kind, value] = /^(DNS|email|URI|IP|UPN):(.*)$/is.exec(name) ?? [];
  if (kind !== undefined && value !== undefined) return [kind.toLowerCase() as Kind, value];
  return [recognise(name), name];
}

function recognise(name: string): Kind {
  if (isAddress(name)) return 'ip';
  if (/^[a-z][a-z\d+.-]*:/i.test(name)) return 'uri';
  return name.includes('@') ? 'email' : 'dns';
}

/** In lower case and Punycode, with a wildcard's star as it is. */
function canonicalDns(name: string): string {
  const [, star = '', rest = ''] = /^(\*\.)?(.*)$/s.exec(name) ?? [];
  const hostname = hostnameOf(rest);
  if (!hostname || isAddress(hostname) || hostname.length > 253)
    throw new TypeError(`"subjectAltNames" must have valid DNS names, not ${JSON.stringify(name)}`);
  return star + hostname;
}

function canonicalEmail(address: string): string {
  const [, local, domain = ''] = /^([\x21-\x3f\x41-\x7e]+)@([^@]+)$/.exec(address) ?? [];
  const hostname = local === undefined ? undefined : hostnameOf(domain);
  if (!hostname)
    throw new TypeError(`"subjectAltNames" must have valid e-mail addresses, not ${JSON.stringify(address)}`);
  return `${local}@${hostname}`;
}

function checkedUri(uri: string): string {
  // Absolute, and in ASCII as it stands: to encode it would make another one of it.
  if (!/^[a-z][a-z\d+.-]*:[\x21-\x7e]+$/i.test(uri) || !URL.canParse(uri))
    throw new TypeError(`"subjectAltNames" must have absolute URIs in ASCII, not ${JSON.stringify(uri)}`);
  return uri;
}

const LABEL = /^[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/;

function hostnameOf(name: string): string | undefined {
  // What would make a URL's host end early, or be decoded.
  if (/[/\\?#@%:\s]/.test(name) || !URL.canParse(`https://${name}`)) return undefined;
  const { hostname } = new URL(`https://${name}`);
  return hostname.split('.').every(label => LABEL.test(label)) ? hostname : undefined;
}

function isAddress(name: string): boolean {
  return octetsOf(name) !== undefined;
}

function addressOctets(address: string): Uint8Array {
  const octets = octetsOf(address);
  if (!octets)
    throw new TypeError(`"subjectAltNames" must have valid IP addresses, not ${JSON.stringify(address)}`);
  return octets;
}

function octetsOf(address: string): Uint8Array | undefined {
  const inner = withoutBrackets(address);
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(inner)) {
    const octets = inner.split('.').map(Number);
    return octets.every(it => it < 256) ? Uint8Array.from(octets) : undefined;
  }
  if (!/^[\da-f:.]+$/i.test(inner) || !inner.includes(':') || !URL.canParse(`https://[${inner}]`))
    return undefined;
  // The URL parser has written out an IPv4 tail, and shortened the longest run of zeros.
  const [head = '', tail] = new URL(`https://[${inner}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const [front, back] = [groups(head), groups(tail)];
  const zeros = Array<string>(8 - front.length - back.length).fill('0');
  const values = [...front, ...zeros, ...back].map(group => Number.parseInt(group, 16));
  return Uint8Array.from(values.flatMap(value => [value >> 8, value & 0xff]));
}
