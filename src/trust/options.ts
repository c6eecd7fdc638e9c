import type { AssetSource } from '../engine/asset.js';
import type { TrustMaterial } from '../engine/trust.js';
import { type Container, contentOf } from '../identity/certificates/contents.js';
import { isDer, missingFrom, type Origin, parsePemOrDer, pemBlocks } from '../identity/certificates/pem.js';
import type { Certificate, TrustResult } from '../identity/types.js';
import { viewOf } from '../util/bytes.js';
import { fromBase64 } from '../util/encoding.js';
import { loadMozillaRoots } from './mozilla-roots.js';
import type { PinsByHost } from './pins.js';

/**
 * PEM (one certificate or several in a string), DER, a `Certificate`, a `Response`, `Blob` or `File` with PEM or DER, or `'mozilla'`: the
 * authorities that Mozilla trusts for servers.
 */
export type Anchor = string | BufferSource | Certificate | Container;

/** A certificate revocation list: PEM (one or several in a string), DER, or a `Response`, `Blob` or `File` with one of them. */
export type RevocationList = string | BufferSource | Container;

/** Anchors and revocation lists (`docs/trust.md`). */
export interface TrustSources {
  /**
   * Certificates that may end a chain: one, or a list. `'mozilla'` stands for the authorities that Mozilla trusts for servers; they are
   * fetched when they are needed (ERR_TRUST_ROOTS_LOAD). An anchor that cannot be read is ERR_CERT_MALFORMED. Default: none, so no server is
   * trusted.
   */
  anchors?: Anchor | readonly Anchor[];
  /**
   * Certificate revocation lists (RFC 5280, section 5). For each certificate of the path, the newest list of its issuer counts. It must be
   * signed and current (ERR_TLS_CERT_REVOCATION_UNKNOWN). A certificate without a list passes. Default: none.
   */
  crls?: RevocationList | readonly RevocationList[];
  /** Where mozilla-roots.bin is. Default: found beside the module, or as given to `configure`. */
  mozillaRoots?: AssetSource;
}

/** Which servers are trusted. */
export interface TrustOptions extends TrustSources {
  /** Keys that a host must have, by host pattern (ERR_TLS_PIN). Not even a challenge handler can accept another key. Default: none. */
  pins?: PinsByHost;
  /**
   * Called for every server after its verification, before anything is sent to it; not for a resumed session. A rejection fails the
   * connection. Default: the result of verification holds.
   *
   * - `false`: the server is refused (with ERR_TLS_CERT_UNTRUSTED if verification has passed).
   * - `true` or nothing: the result of verification holds.
   * - `{ trust: true }`: the server is trusted in spite of the result. Pins still hold.
   */
  evaluate?(question: TrustQuestion): TrustAnswer | Promise<TrustAnswer>;
}

/** The question for `TrustOptions.evaluate`: one server, in one handshake. */
export interface TrustQuestion {
  /** The server's host as in the address: a name in lower case, or an IP address. */
  host: string;
  /** The server's TCP port. */
  port: number;
  /** The certificates that the server sent, its own first. Certificates that cannot be read are left out. */
  chain: Certificate[];
  /** The result of verification. */
  result: TrustResult;
}

/** The answer of `TrustOptions.evaluate`, which says what each value means. */
export type TrustAnswer =
  | boolean
  | {
      /** Trusts the server in spite of the result of verification. */
      trust: true;
    }
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement is an answer
  | void;

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
