import type { WasmSource } from '../engine/wasm-source.js';
import type { Identity, StoredIdentity } from '../identity/types.js';
import type { IdentityStore } from '../store/identity-store.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { isEncodable } from './alt-names.js';
import { ask, type CertificateAuthority } from './authority.js';
import { createReader, issuedChain } from './certificates.js';
import { makeEnrolment } from './create-identity.js';
import type { KeyAlgorithmName } from './key-pair.js';

/** Options of `renew`. */
export interface RenewOptions {
  /** The store of the identity. The renewed identity replaces it in one transaction. Default: none, it is in memory only. */
  store?: IdentityStore;
  /**
   * Makes a new key pair of this kind for the renewed identity, which then has another id. Default: the key and the id stay.
   */
  newKey?: KeyAlgorithmName;
  /** Ends the renewal; it rejects with the signal's reason. Default: none. */
  signal?: AbortSignal;
  /** Where engine.wasm is. Default: found beside the module, or as given to `configure`. */
  engine?: WasmSource;
}

const names: OptionNames<RenewOptions> = { store: true, newKey: true, signal: true, engine: true };

/**
 * Asks an authority to renew the certificate of an identity, for the same key or for a new one. A renewal that fails leaves the identity
 * as it is.
 *
 * @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING, ERR_ENROLL_CERTIFICATE; ERR_IDENTITY_NOT_FOUND
 *   when the identity is no longer in the store; with `newKey` also the errors of `createIdentity`
 * @throws TypeError when the authority does not renew
 */
export async function renew(
  identity: StoredIdentity,
  authority: CertificateAuthority,
  options: RenewOptions & { store: IdentityStore },
): Promise<StoredIdentity>;
export async function renew(
  identity: Identity,
  authority: CertificateAuthority,
  options?: RenewOptions,
): Promise<Identity>;
export async function renew(
  identity: Identity | StoredIdentity,
  authority: CertificateAuthority,
  options: RenewOptions = {},
): Promise<Identity> {
  checkOptionNames(options, names);
  if (typeof authority?.renew !== 'function')
    throw new TypeError('"authority" must have renew(): this one does not renew certificates');
  if (options.store && !('id' in identity)) throw new TypeError('"identity" must be from the store');
  options.signal?.throwIfAborted();
  return options.newKey
    ? rekey(identity, authority, { ...options, newKey: options.newKey })
    : renewSameKey(identity, authority, options);
}

type RenewingAuthority = Pick<CertificateAuthority, 'renew'>;

async function renewSameKey(
  identity: Identity,
  authority: RenewingAuthority,
  { store, signal, engine }: RenewOptions,
): Promise<Identity> {
  const reader = await createReader(engine);
  const { spki } = reader.read(identity.certificate.der);
  const chain = await askForRenewal(authority, { identity, signal });
  const renewed = await issuedChain(reader, chain, spki);
  if (store && isStored(identity)) return store.replaceCertificate(identity.id, renewed);
  const { otherChains: _, ...others } = identity;
  return { ...others, ...renewed };
}

/**
 * With the names of the present certificate, as RFC 7030 asks for it (section 4.2.2); those of rare kinds and malformed ones are left out.
 */
async function rekey(
  identity: Identity,
  authority: RenewingAuthority,
  { newKey: algorithm, store, signal, engine }: RenewOptions & { newKey: KeyAlgorithmName },
): Promise<Identity> {
  const reader = await createReader(engine);
  const { subject, certificate } = reader.read(identity.certificate.der);
  const enrolment = await makeEnrolment(subject, {
    subjectAltNames: certificate.subjectAltNames.filter(isEncodable),
    algorithm,
    ...(store && isStored(identity) && { store, controls: identity.controls }),
    ...(engine && { engine }),
    ...(signal && { signal }),
  });
  try {
    const chain = await askForRenewal(authority, { identity, request: enrolment.request, signal });
    const replaced = isStored(identity) ? identity.id : undefined;
    return await enrolment.replace(replaced, { chain });
  } catch (error) {
    await enrolment.cancel().catch(() => {});
    throw error;
  }
}

function askForRenewal(
  authority: RenewingAuthority,
  parts: { identity: Identity; request?: Uint8Array<ArrayBuffer>; signal: AbortSignal | undefined },
) {
  const { identity, request, signal } = parts;
  return ask(options => authority.renew?.(request, { ...options, identity }) ?? [], signal);
}

function isStored(identity: Identity): identity is StoredIdentity {
  return 'id' in identity;
}
