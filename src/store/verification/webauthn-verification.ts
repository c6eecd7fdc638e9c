import { MtlsError } from '../../errors.js';
import { checkedInteger, checkOptionNames, MAX_TIMER_MS, type OptionNames } from '../../util/options.js';
import { unreadableKey } from '../errors.js';
import type { UserVerification, VerificationSubject } from './user-verification.js';

/** Options of `webAuthnVerification`. */
export interface WebAuthnOptions {
  /** The relying party: the page's host or a domain above it. Default: the page's host. */
  rpId?: string;
  /** The name of the app or company; some authenticators show it. Default: the page's host. */
  rpName?: string;
  /** The time that the person has, in milliseconds. The browser may limit it. From 1 to 2^31 - 1; default 120,000. */
  timeoutMs?: number;
}

interface Parameters {
  rpId: string;
  credentialId: Uint8Array<ArrayBuffer>;
  transports: AuthenticatorTransport[];
  salt: Uint8Array<ArrayBuffer>;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const names: OptionNames<WebAuthnOptions> = { rpId: true, rpName: true, timeoutMs: true };
const ES256 = -7;
const ED25519 = -8;
const RS256 = -257;
const INFO = new TextEncoder().encode('browser-mtls key wrapping');

/**
 * User verification by an authenticator (fingerprint, face, PIN, security key) with WebAuthn's PRF extension (Web Authentication
 * Level 3, section 10.1.4). Each identity has its own credential and salt. From them the authenticator computes 32 bytes that exist nowhere
 * else, and HKDF (RFC 5869) derives the wrapping key from these bytes. A copy of the disk is useless without the authenticator. But a script
 * of the page's origin can ask the authenticator too, and gets the bytes when the person confirms.
 */
export function webAuthnVerification(options: WebAuthnOptions = {}): UserVerification {
  checkOptionNames(options, names);
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  checkedInteger('timeoutMs', timeoutMs, { min: 1, max: MAX_TIMER_MS });
  return {
    method: 'webauthn-prf',
    maxAttempts: 1,
    async prepare(subject, { signal }) {
      await assertAvailable();
      const rpId = options.rpId ?? location.hostname;
      const rp = { id: rpId, name: options.rpName ?? rpId };
      const salt = random(32);
      const credential = await create(subject, { rp, salt, timeoutMs, signal });
      const { prf } = credential.getClientExtensionResults();
      if (prf?.enabled === false || (!prf?.enabled && !prf?.results)) {
        throw unavailable(
          'This authenticator has no PRF extension: use another one, or passphraseVerification.',
        );
      }
      const parameters: Parameters = {
        rpId,
        credentialId: new Uint8Array(credential.rawId),
        transports: transportsOf(credential),
        salt,
      };
      // Many authenticators give it only when they are asked again.
      const secret = prf.results?.first ?? (await evaluate(parameters, { timeoutMs, signal }));
      return { wrappingKey: await derive(secret, 'wrapKey'), parameters };
    },
    async verify(_subject, stored, { signal }) {
      const parameters = readParameters(stored);
      await assertAvailable();
      const secret = await evaluate(parameters, { timeoutMs, signal });
      return derive(secret, 'unwrapKey');
    },
  };
}

/** Of a record that something else may have written. @throws MtlsError ERR_STORE_RECORD */
function readParameters(stored: unknown): Parameters {
  const { rpId, credentialId, transports, salt } = (stored ?? {}) as Partial<Parameters>;
  const areBytes = credentialId instanceof Uint8Array && salt instanceof Uint8Array;
  if (typeof rpId !== 'string' || !areBytes || !Array.isArray(transports)) throw unreadableKey();
  return { rpId, credentialId, transports, salt };
}

interface Ceremony {
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

function create(
  { id, label }: VerificationSubject,
  {
    rp,
    salt,
    timeoutMs,
    signal,
  }: Ceremony & { rp: PublicKeyCredentialRpEntity; salt: Uint8Array<ArrayBuffer> },
): Promise<PublicKeyCredential> {
  return ceremony(signal, () =>
    navigator.credentials.create({
      publicKey: {
        rp,
        user: { id: new TextEncoder().encode(id), name: label, displayName: label },
        challenge: random(32),
        pubKeyCredParams: [ES256, ED25519, RS256].map(alg => ({ type: 'public-key', alg })),
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        attestation: 'none',
        timeout: timeoutMs,
        extensions: { prf: { eval: { first: salt } } },
      },
      ...(signal && { signal }),
    }),
  );
}

async function evaluate(
  { rpId, credentialId, transports, salt }: Parameters,
  { timeoutMs, signal }: Ceremony,
): Promise<BufferSource> {
  const credential = await ceremony(signal, () =>
    navigator.credentials.get({
      publicKey: {
        rpId,
        challenge: random(32),
        allowCredentials: [{ type: 'public-key', id: credentialId, transports }],
        userVerification: 'required',
        timeout: timeoutMs,
        extensions: { prf: { eval: { first: salt } } },
      },
      ...(signal && { signal }),
    }),
  );
  const secret = credential.getClientExtensionResults().prf?.results?.first;
  if (!secret) throw unavailable('The authenticator, or this browser, gave no PRF result.');
  return secret;
}

/** Runs a ceremony, and tells what its DOMException means. */
async function ceremony(
  signal: AbortSignal | undefined,
  act: () => Promise<Credential | null>,
): Promise<PublicKeyCredential> {
  let cause: unknown;
  try {
    const credential = await act();
    if (credential) return credential as PublicKeyCredential;
  } catch (error) {
    cause = error;
  }
  signal?.throwIfAborted();
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : '';
  if (name === 'SecurityError')
    throw new MtlsError('ERR_VERIFICATION_UNAVAILABLE', 'The browser refuses WebAuthn for this rpId.', {
      cause,
    });
  if (name === 'NotSupportedError' || name === 'ConstraintError')
    throw new MtlsError('ERR_VERIFICATION_UNAVAILABLE', 'There is no fitting authenticator.', { cause });
  throw new MtlsError(
    'ERR_VERIFICATION_FAILED',
    'The person did not confirm, or took too long, or the authenticator does not know this identity.',
    { cause },
  );
}

async function assertAvailable(): Promise<void> {
  if (typeof PublicKeyCredential !== 'function' || !globalThis.navigator?.credentials)
    throw unavailable('This browser has no WebAuthn here: use passphraseVerification.');
  const capabilities = await PublicKeyCredential.getClientCapabilities?.();
  if (capabilities?.['extension:prf'] === false)
    throw unavailable('This browser has no PRF extension: use passphraseVerification.');
}

function unavailable(message: string): MtlsError {
  return new MtlsError('ERR_VERIFICATION_UNAVAILABLE', message);
}

function transportsOf({ response }: PublicKeyCredential): AuthenticatorTransport[] {
  const transports = (response as AuthenticatorAttestationResponse).getTransports?.() ?? [];
  return transports as AuthenticatorTransport[];
}

async function derive(secret: BufferSource, usage: 'wrapKey' | 'unwrapKey'): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  new Uint8Array(ArrayBuffer.isView(secret) ? secret.buffer : secret).fill(0);
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: INFO };
  return crypto.subtle.deriveKey(algorithm, base, { name: 'AES-GCM', length: 256 }, false, [usage]);
}

function random(bytes: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(bytes));
}
