import { MtlsError } from '../errors.js';
import { parsePemOrDer } from '../identity/certificates/pem.js';
import { toHex } from '../util/encoding.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import type { CertificateAuthority } from './authority.js';
import type { SingleSource } from './certificates.js';
import { certificateLimit, download, httpUrl, unlessAborted } from './http.js';
import { requestToPem } from './request.js';

/** Options of `stepCa`. */
export interface StepCaOptions {
  /** The address of step-ca, e.g. `https://ca.example.com`, or `https://127.0.0.1:9000` on this machine. */
  url: string | URL;
  /**
   * The `fetch` to use. step-ca does not answer CORS requests, and its certificate is from its own root. So a page uses `client.fetch`; for
   * renewals, that of a client with the identity. Default: the browser's own.
   */
  fetch?: typeof globalThis.fetch;
  /** A one-time token of a provisioner, for one certificate. Default: `getToken` gives it. */
  token?: string;
  /** Returns a one-time token when one is needed, for example from the page's backend. Default: none. */
  getToken?(request: { pem: string; signal?: AbortSignal }): string | Promise<string>;
  /** SHA-256 of the root's DER in hex, as `step ca bootstrap` takes it. The root then completes the chain. Default: none. */
  rootFingerprint?: string;
  /** When the certificate shall expire. Default: as the provisioner decides. */
  notAfter?: Date;
}

/** The authority step-ca, of smallstep. */
export interface StepCa extends CertificateAuthority {
  /** Renews over mutual TLS: `POST /1.0/renew`, or `/1.0/rekey` with a request for a new key. */
  renew: NonNullable<CertificateAuthority['renew']>;
  /**
   * Fetches the authority's root (DER) and checks it by `rootFingerprint`. So the way to the server need not be trusted.
   *
   * @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_CERTIFICATE (it has another fingerprint)
   * @throws TypeError without `rootFingerprint`
   */
  root(options?: { signal?: AbortSignal }): Promise<Uint8Array<ArrayBuffer>>;
}

const WHO = 'step-ca';
const names: OptionNames<StepCaOptions> = {
  url: true,
  fetch: true,
  token: true,
  getToken: true,
  rootFingerprint: true,
  notAfter: true,
};
const FINGERPRINT = /^[0-9a-f]{64}$/;

/**
 * The certificate authority step-ca (`docs/enrolment.md`): `issue` uses a one-time token (`POST /1.0/sign`), `renew` uses mutual TLS
 * (`/1.0/renew`, or `/1.0/rekey` for a new key).
 *
 * @throws TypeError for a wrong option
 */
export function stepCa(options: StepCaOptions): StepCa {
  checkOptionNames(options, names);
  return new StepCaClient(options);
}

class StepCaClient implements StepCa {
  #options: StepCaOptions;
  #url: URL;
  #fingerprint: string | undefined;
  #root: Uint8Array<ArrayBuffer> | undefined;

  constructor(options: StepCaOptions) {
    this.#options = options;
    this.#url = httpUrl(options.url);
    if (!this.#url.pathname.endsWith('/')) this.#url.pathname += '/';
    const { rootFingerprint, notAfter } = options;
    this.#fingerprint = rootFingerprint?.replace(/[\s:-]/g, '').toLowerCase();
    if (this.#fingerprint !== undefined && !FINGERPRINT.test(this.#fingerprint))
      throw new TypeError('"rootFingerprint" must be a SHA-256 in hex');
    if (notAfter !== undefined && !(notAfter instanceof Date && Number.isFinite(notAfter.getTime())))
      throw new TypeError('"notAfter" must be a valid Date');
  }

  issue(request: Uint8Array, { signal }: { signal?: AbortSignal } = {}): Promise<SingleSource[]> {
    const { token, getToken } = this.#options;
    if (token === undefined && !getToken)
      throw new TypeError('"token" must be given, or "getToken": step-ca issues for a token');
    return this.#sign(requestToPem(request), signal);
  }

  async renew(
    request: Uint8Array | undefined,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<SingleSource[]> {
    if (!request) return this.#certificates('1.0/renew', { body: {}, signal });
    return this.#certificates('1.0/rekey', { body: { csr: requestToPem(request) }, signal });
  }

  async root({ signal }: { signal?: AbortSignal } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const wanted = this.#fingerprint;
    if (!wanted) throw new TypeError('"rootFingerprint" must be given: it says which root is the right one');
    this.#root ??= await this.#fetchRoot(wanted, signal);
    return this.#root.slice();
  }

  async #fetchRoot(wanted: string, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const { ca } = await this.#json(`root/${wanted}`, { signal });
    const [der] = pemOf(ca);
    const found = der && toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', der)));
    if (!der || found !== wanted)
      throw new MtlsError('ERR_ENROLL_CERTIFICATE', `${WHO} sent another root than the fingerprint says.`);
    return der;
  }

  async #sign(csr: string, signal: AbortSignal | undefined): Promise<SingleSource[]> {
    // First, so that no token is spent when it cannot be had.
    if (this.#fingerprint) await this.root({ ...(signal && { signal }) });
    const ott = await this.#token(csr, signal);
    const { notAfter } = this.#options;
    const body = { csr, ott, ...(notAfter && { notAfter: notAfter.toISOString() }) };
    return this.#certificates('1.0/sign', { body, signal, secret: ott });
  }

  async #token(pem: string, signal: AbortSignal | undefined): Promise<string> {
    const { token, getToken } = this.#options;
    const given = await unlessAborted(
      signal,
      'Whoever gives the tokens for step-ca',
      async () => token ?? getToken?.({ pem, ...(signal && { signal }) }),
    );
    if (typeof given === 'string' && given !== '') return given;
    throw new MtlsError('ERR_ENROLL_REJECTED', 'No token for step-ca was given.');
  }

  /** Those of a SignResponse, and the root where its fingerprint is known. */
  async #certificates(
    path: string,
    request: { body: unknown; signal: AbortSignal | undefined; secret?: string },
  ): Promise<SingleSource[]> {
    const { signal } = request;
    const root = this.#fingerprint ? [await this.root({ ...(signal && { signal }) })] : [];
    const { certChain, crt, ca } = await this.#json(path, request);
    const chain = Array.isArray(certChain) && certChain.length > 0 ? certChain : [crt, ca].filter(Boolean);
    if (!chain.every(it => typeof it === 'string')) throw noCertificate();
    return [...chain, ...root];
  }

  async #json(
    path: string,
    request: { body?: unknown; signal: AbortSignal | undefined; secret?: string },
  ): Promise<Record<string, unknown>> {
    const { body, signal, secret } = request;
    const init: RequestInit = {
      credentials: 'omit',
      // A token is for this server alone.
      redirect: 'error',
      ...(body !== undefined && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    };
    const { fetch = globalThis.fetch } = this.#options;
    const exchange = { who: WHO, fetch, signal, secret, ...certificateLimit };
    const answer = await download(new URL(path, this.#url), init, exchange);
    try {
      return Object(JSON.parse(new TextDecoder().decode(answer)));
    } catch (cause) {
      throw noCertificate(cause);
    }
  }
}

function pemOf(value: unknown): Uint8Array<ArrayBuffer>[] {
  if (typeof value !== 'string') throw noCertificate();
  try {
    return parsePemOrDer(value, { option: 'certificate' });
  } catch (cause) {
    throw noCertificate(cause);
  }
}

function noCertificate(cause?: unknown): MtlsError {
  const message = `${WHO} answered with something else than certificates: is this its address?`;
  return new MtlsError('ERR_ENROLL_CERTIFICATE', message, { cause });
}
