import type { TrustMaterial } from '../engine/trust.js';
import { type Container, contentOf } from '../identity/certificates/contents.js';
import { isDer, missingFrom, type Origin, parsePemOrDer, pemBlocks } from '../identity/certificates/pem.js';
import type { Certificate, TrustResult } from '../identity/types.js';
import { viewOf } from '../util/bytes.js';
import { fromBase64 } from '../util/encoding.js';
import { loadMozillaRoots, type RootsSource } from './mozilla-roots.js';
import type { PinsByHost } from './pins.js';

/**
 * PEM (one certificate or several in a string), DER, a `Certificate`, a `Response`, `Blob` or `File` with PEM or DER in it (a body is
 * read), or `'mozilla'`: the roots that come with the package.
 */
export type Anchor = string | BufferSource | Certificate | Container;

/** A certificate revocation list: PEM (one or several in a string), DER, or a `Response`, `Blob` or `File` with one of them. */
export type RevocationList = string | BufferSource | Container;

/** What a chain is judged by. */
export interface TrustSources {
  /**
   * Certificates that may end a chain: one, or a list. The text `'mozilla'` stands for the certificate authorities that Mozilla
   * trusts for servers, which are fetched when they are asked for; chains to them are held to rules for serial numbers and subjects that
   * private authorities break (`docs/trust.md`). Default: none, so that nothing is trusted by itself.
   */
  anchors?: Anchor | readonly Anchor[];
  /**
   * Certificate revocation lists (RFC 5280, section 5). Of each certificate of the path whose issuer's list is given, the newest list is
   * looked at: it must be signed by the issuer and up to date. An issuer without a list is let pass. Default: none.
   */
  crls?: RevocationList | readonly RevocationList[];
  /** Where `'mozilla'` comes from. Default: `mozilla-roots.bin` of this package. */
  mozillaRoots?: RootsSource;
}

/** Which servers are trusted. */
export interface TrustOptions extends TrustSources {
  /** Keys that a host must have. Default: none. Not even a challenge handler can accept another key. */
  pins?: PinsByHost;
  /**
   * Asked about every server after its verification, before anything is sent to it (not when a session is resumed).
   * A rejection fails the connection.
   *
   * - `false`: the server is refused, whatever was found (with `ERR_TLS_CERT_UNTRUSTED` where nothing was).
   * - `true` or nothing: what was found holds.
   * - `{ trust: true }`: the server is trusted in spite of what was found, unless its keys are pinned and it has another.
   */
  evaluate?(question: TrustQuestion): TrustAnswer | Promise<TrustAnswer>;
}

/** What the hook `TrustOptions.evaluate` is asked about: one server, in one handshake. */
export interface TrustQuestion {
  /** As in the address: a name in lower case, or an IP address. */
  host: string;
  port: number;
  /** As the server sent them, its own certificate first. Others that cannot be read are left out. */
  chain: Certificate[];
  /** What verification found. */
  result: TrustResult;
}

/** What the hook answers: see `TrustOptions.evaluate`. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is an answer
export type TrustAnswer = boolean | { trust: true } | undefined | void;

/**
 * @param path what stands before an option's name in messages, e.g. `trust.`
 * @throws MtlsError ERR_CERT_MALFORMED, ERR_TRUST_ROOTS_LOAD; TypeError for another kind of value
 */
export async function readMaterial(sources: TrustSources, path = ''): Promise<TrustMaterial> {
  const anchors = listOf(sources.anchors);
  const own = anchors.filter(it => it !== 'mozilla');
  const [ownAnchors, crls, publicAnchors] = await Promise.all([
    readAll(own, `${path}anchors`, parsePemOrDer),
    readAll(listOf(sources.crls), `${path}crls`, parseRevocationList),
    own.length < anchors.length ? loadMozillaRoots(sources.mozillaRoots, `${path}mozillaRoots`) : [],
  ]);
  return { anchors: ownAnchors, crls, publicAnchors };
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

/** @internal What each of these sources holds, one after the other. */
export async function readAll<T>(
  sources: readonly (T | BufferSource | Container)[],
  option: string,
  parse: (source: T | BufferSource, origin: Origin) => Uint8Array<ArrayBuffer>[],
): Promise<Uint8Array<ArrayBuffer>[]> {
  const read = sources.map(async source => {
    const { content, origin } = await contentOf<T | BufferSource>(source, option);
    return parse(content, origin);
  });
  return (await Promise.all(read)).flat();
}

function parseRevocationList(source: string | BufferSource, origin: Origin): Uint8Array<ArrayBuffer>[] {
  const bytes = viewOf(source);
  if (bytes && isDer(bytes)) return [bytes.slice()];
  const text = bytes ? new TextDecoder().decode(bytes) : source;
  if (typeof text !== 'string')
    throw new TypeError(`"${origin.option}" must be a PEM string, DER bytes, a Blob or a Response`);
  const lists = pemBlocks(text, ['X509 CRL']).map(fromBase64);
  const read = lists.filter(it => it !== undefined);
  if (read.length > 0 && read.length === lists.length) return read;
  throw missingFrom(text, 'certificate revocation list', origin);
}
