import { KeptInstances } from '../engine/kept-instances.js';
import { loadEngine } from '../engine/load.js';
import {
  certificateFailureCodes,
  evaluateChain,
  type KeyPins,
  type TrustDemand,
  type TrustFinding,
} from '../engine/trust.js';
import type { WasmSource } from '../engine/wasm-source.js';
import { CertificateReader } from '../identity/certificates/certificate-reader.js';
import { ChainFinder } from '../identity/certificates/chain.js';
import { contentOf } from '../identity/certificates/contents.js';
import { parsePemOrDer } from '../identity/certificates/pem.js';
import { bareHostname } from '../identity/hosts.js';
import type { Certificate, TrustResult } from '../identity/types.js';
import { viewOf } from '../util/bytes.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../util/options.js';
import { type Anchor, readAll, readMaterial, type TrustSources } from './options.js';
import { PinRules, type PinsByHost, readPins } from './pins.js';

/** Options of `evaluateTrust`. */
export interface EvaluateTrustOptions extends TrustSources {
  /** The DNS name or IP address that the certificate must have (ERR_TLS_CERT_NAME). Default: names are not checked. */
  hostname?: string;
  /** The TCP port, which together with `hostname` selects among `pins` by host. Default: only patterns without a port match. */
  port?: number;
  /** The time for which the chain is judged. Default: now. */
  at?: Date;
  /** The use of the certificate (ERR_TLS_CERT_PURPOSE). Default: `server`. */
  purpose?: 'server' | 'client';
  /** Pins by host as in `TrustOptions.pins`, together with `hostname`; or a list for this chain (ERR_TLS_PIN). Default: none. */
  pins?: PinsByHost | readonly string[];
  /**
   * How many authorities may stand between the certificate and the anchor, counted like path lengths (RFC 5280, section 4.2.1.9): an
   * authority whose issuer has the same name does not count. From 0 on; the search itself allows 6. Default: no further limit.
   */
  maxChainLength?: number;
  /** The stapled OCSP response (RFC 6960): DER, or a `Response`, `Blob` or `File` with it. Default: none. */
  ocsp?: BufferSource | Blob | Response;
  /** Where engine.wasm is. Default: found beside the module, or as given to `configure`. */
  engine?: WasmSource;
}

/**
 * Judges a certificate chain, by the same code as TLS connections judge their server: path, validity, names, purpose, constraints
 * (RFC 5280, section 6; RFC 9525), revocation and pins (`docs/trust.md`).
 *
 * @param chain the certificate in question first, then others that may lead to an anchor, in any order. Each is PEM (one or several in a
 *   string), DER, a `Certificate`, or a `Response`, `Blob` or `File` with PEM or DER.
 * @throws MtlsError ERR_CERT_MALFORMED (PEM without a certificate), ERR_TRUST_ROOTS_LOAD, ERR_ENGINE_LOAD; TypeError for a wrong option.
 *   If the DER of a certificate, an anchor or a list cannot be read, the result has the code ERR_CERT_MALFORMED instead.
 */
export async function evaluateTrust(
  chain: Anchor | readonly Anchor[],
  options: EvaluateTrustOptions,
): Promise<TrustResult> {
  const sources = Array.isArray(chain) ? (chain as readonly Anchor[]) : [chain as Anchor];
  const demand = readDemand(options);
  const ders = await readAll(sources, 'chain', parsePemOrDer);
  if (ders.length === 0) throw new TypeError('"chain" must have a certificate');
  const [module, material, ocsp] = await Promise.all([
    loadEngine(options.engine),
    readMaterial(options),
    readStaple(options.ocsp),
  ]);
  const instance = await instances.get(module);
  const finding = evaluateChain(instance, ders, { material, demand: { ...demand, ocsp } });
  return trustResult(finding, await foundChain(new CertificateReader(instance), finding, ders));
}

const instances = /* @__PURE__ */ new KeptInstances();

const names: OptionNames<EvaluateTrustOptions> = {
  anchors: true,
  crls: true,
  mozillaRoots: true,
  hostname: true,
  port: true,
  at: true,
  purpose: true,
  pins: true,
  maxChainLength: true,
  ocsp: true,
  engine: true,
};

/** @throws MtlsError ERR_CERT_MALFORMED where it cannot be read; TypeError for another kind of value */
async function readStaple(ocsp: EvaluateTrustOptions['ocsp']): Promise<Uint8Array | undefined> {
  if (ocsp === undefined) return undefined;
  const { content } = await contentOf<BufferSource>(ocsp, 'ocsp');
  const staple = viewOf(content);
  if (!staple) throw new TypeError('"ocsp" must be DER bytes, a Blob or a Response');
  return staple;
}

function readDemand(options: EvaluateTrustOptions): Omit<TrustDemand, 'ocsp'> {
  checkOptionNames(options, names);
  const { hostname, port, at, purpose, pins, maxChainLength } = options;
  if (at !== undefined && !(at instanceof Date && !Number.isNaN(at.getTime())))
    throw new TypeError('"at" must be a valid Date');
  if (purpose !== undefined && purpose !== 'server' && purpose !== 'client')
    throw new TypeError('"purpose" must be server or client');
  if (maxChainLength !== undefined)
    checkedInteger('maxChainLength', maxChainLength, { min: 0, max: Number.MAX_SAFE_INTEGER });
  return {
    hostname: hostname === undefined ? undefined : bareHostname(hostname),
    at: at ?? new Date(),
    purpose: purpose ?? 'server',
    pins: demandedPins(pins, hostname, port),
    maxIntermediates: maxChainLength === undefined ? undefined : Math.min(maxChainLength, MOST_COUNTED),
  };
}

/** No path that is searched for is that long. */
const MOST_COUNTED = 254;

function demandedPins(
  pins: EvaluateTrustOptions['pins'],
  hostname: string | undefined,
  port: number | undefined,
): KeyPins | undefined {
  if (pins === undefined) return undefined;
  if (Array.isArray(pins)) return readPins(pins);
  if (hostname === undefined) throw new TypeError('"hostname" must be given with pins by host');
  return new PinRules(pins as PinsByHost).for(hostname, port);
}

/** What the engine found, for the outside. */
function trustResult(
  { kind, message }: Pick<TrustFinding, 'kind' | 'message'>,
  chain: Certificate[],
): TrustResult {
  if (kind === undefined) return { trusted: true, chain };
  return { trusted: false, code: certificateFailureCodes[kind], message, chain };
}

async function foundChain(
  reader: CertificateReader,
  { path }: TrustFinding,
  given: readonly Uint8Array[],
): Promise<Certificate[]> {
  if (path.length > 0) return path.map(der => reader.describe(der));
  const [leaf, ...others] = reader.readAll(given);
  if (!leaf) return [];
  const [{ certificates }] = await new ChainFinder(others).find(leaf);
  return certificates.map(it => it.certificate);
}
