import { KeptInstances } from '../engine/kept-instances.js';
import { type EngineSource, loadEngine } from '../engine/load.js';
import {
  certificateFailureCodes,
  evaluateChain,
  type KeyPins,
  type TrustDemand,
  type TrustFinding,
} from '../engine/trust.js';
import { CertificateReader } from '../identity/certificates/certificate-reader.js';
import { ChainFinder } from '../identity/certificates/chain.js';
import { parsePemOrDer } from '../identity/certificates/pem.js';
import { bareHostname } from '../identity/hosts.js';
import type { Certificate, TrustResult } from '../identity/types.js';
import { viewOf } from '../util/bytes.js';
import { checkedInteger, checkOptionNames, type OptionNames } from '../util/options.js';
import { type Anchor, readAll, readMaterial, type TrustSources } from './options.js';
import { PinRules, type PinsByHost, readPins } from './pins.js';

/** What a chain is judged by, and for what. */
export interface EvaluateTrustOptions extends TrustSources {
  /** The DNS name or IP address that the certificate must be for. Default: names are not looked at. */
  hostname?: string;
  /** Chooses, with `hostname`, among `pins` by host. */
  port?: number;
  /** The time to judge for. Default: now. */
  at?: Date;
  /** What the certificate is to be used for. Default: `server`. */
  purpose?: 'server' | 'client';
  /** Pins as in `TrustOptions.pins`, for which `hostname` is needed; or a list, for whatever host this is. */
  pins?: PinsByHost | readonly string[];
  /**
   * How many certificates of authorities may stand between the certificate in question and the anchor, counted as path lengths are
   * (RFC 5280, section 4.2.1.9): those whose issuer has the same name count for nothing. From 0 on. Default: no limit but
   * that of the search, 6.
   */
  maxChainLength?: number;
  /** The OCSP response that the server stapled, DER (RFC 6960). Default: none. */
  ocsp?: BufferSource;
  /** The engine's .wasm. Default: the one of this package. */
  engine?: EngineSource;
}

/**
 * Whether a certificate chain is to be trusted: as TLS connections judge their server, by the same code. Path, validity, names,
 * purpose, constraints (RFC 5280, section 6; RFC 9525), revocation and pins: `docs/trust.md`.
 *
 * @param chain the certificate in question first, then others that may lead to an anchor in any order; each
 *   PEM (one or several in a string), DER, a `Certificate`, or a `Response`, `Blob` or `File` with PEM or DER in it
 * @returns with `chain`: the path that was found, the anchor last; when none was found, what could be put together
 * @throws MtlsError ERR_CERT_MALFORMED (PEM without a certificate), ERR_TRUST_ROOTS_LOAD, ERR_ENGINE_LOAD; TypeError for a wrong option.
 *   Certificates, anchors and lists whose DER cannot be read are no reason to throw: the result has the code ERR_CERT_MALFORMED.
 */
export async function evaluateTrust(
  chain: Anchor | readonly Anchor[],
  options: EvaluateTrustOptions,
): Promise<TrustResult> {
  const sources = Array.isArray(chain) ? (chain as readonly Anchor[]) : [chain as Anchor];
  const demand = readDemand(options);
  const ders = await readAll(sources, 'chain', parsePemOrDer);
  if (ders.length === 0) throw new TypeError('"chain" must have a certificate');
  const [module, material] = await Promise.all([loadEngine(options.engine), readMaterial(options)]);
  const instance = await instances.get(module);
  const finding = evaluateChain(instance, ders, { material, demand });
  return trustResult(finding, await foundChain(new CertificateReader(instance), finding, ders));
}

const instances = new KeptInstances();

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

function readDemand(options: EvaluateTrustOptions): TrustDemand {
  checkOptionNames(options, names);
  const { hostname, port, at, purpose, pins, ocsp, maxChainLength } = options;
  if (at !== undefined && !(at instanceof Date && !Number.isNaN(at.getTime())))
    throw new TypeError('"at" must be a valid Date');
  if (purpose !== undefined && purpose !== 'server' && purpose !== 'client')
    throw new TypeError('"purpose" must be server or client');
  if (maxChainLength !== undefined)
    checkedInteger('maxChainLength', maxChainLength, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const staple = ocsp === undefined ? undefined : viewOf(ocsp);
  if (ocsp !== undefined && !staple) throw new TypeError('"ocsp" must be DER bytes');
  return {
    hostname: hostname === undefined ? undefined : bareHostname(hostname),
    at: at ?? new Date(),
    purpose: purpose ?? 'server',
    ocsp: staple,
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
