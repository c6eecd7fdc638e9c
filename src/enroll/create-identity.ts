import type { WasmSource } from '../engine/wasm-source.js';
import type { Identity, IdentityControls, StoredIdentity } from '../identity/types.js';
import { checkedControls } from '../store/controls.js';
import type { IdentityStore } from '../store/identity-store.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { requireWebCrypto } from '../util/web-crypto.js';
import { encodeAltNames } from './alt-names.js';
import { createReader } from './certificates.js';
import type { Der } from './der.js';
import { type Enrolment, inMemory, inStore, PendingEnrolment } from './enrolment.js';
import { checkSupport, generateKeyPair, type KeyAlgorithmName } from './key-pair.js';
import { makeRequest } from './request.js';
import { encodeSubject, type Subject } from './subject.js';

/** Options of `createIdentity`. */
export interface CreateIdentityOptions {
  /** The subject to ask for. Default: none; then `subjectAltNames` is required. */
  subject?: Subject;
  /**
   * Alternative names to ask for: `DNS:…`, `email:…`, `URI:…`, `IP:…` or `UPN:…`, as in `Certificate.subjectAltNames`. The prefix may be
   * left out: the kind is recognised (`ada@example.com`, `127.0.0.1`, `spiffe://a/b`, `example.com`). Default: none.
   */
  subjectAltNames?: readonly string[];
  /** The kind of key (ERR_ENROLL_UNSUPPORTED where WebCrypto does not have it). Default: `ECDSA P-256`. */
  algorithm?: KeyAlgorithmName;
  /** Keeps the pending enrolment across reloads, and then the identity. Default: both are in memory only. */
  store?: IdentityStore;
  /**
   * The rules of the store for the identity. With `userVerification: 'required'` the person is asked now, and the key is wrapped from the
   * start. Only with `store`. Default: none.
   */
  controls?: IdentityControls;
  /** Where engine.wasm is. Default: found beside the module, or as given to `configure`. */
  engine?: WasmSource;
  /** Ends a question to the person; `createIdentity` rejects with the signal's reason. Default: none. */
  signal?: AbortSignal;
}

const names: OptionNames<CreateIdentityOptions> = {
  subject: true,
  subjectAltNames: true,
  algorithm: true,
  store: true,
  controls: true,
  engine: true,
  signal: true,
};

/**
 * Makes a key pair in this browser, and a signed request for its certificate (PKCS#10, RFC 2986). The private key cannot be exported.
 * RSA keys, and keys with user verification, are extractable for the moment in which they are made (`docs/security.md`).
 *
 * @throws MtlsError ERR_ENROLL_UNSUPPORTED when WebCrypto does not have such keys; ERR_VERIFICATION_FAILED,
 *   ERR_VERIFICATION_UNAVAILABLE; ERR_STORE_UNAVAILABLE, ERR_STORE_QUOTA; ERR_ENGINE_LOAD
 * @throws TypeError for a malformed subject, name, algorithm or control
 */
export async function createIdentity(
  options: CreateIdentityOptions & { store: IdentityStore },
): Promise<Enrolment<StoredIdentity>>;
export async function createIdentity(options: CreateIdentityOptions): Promise<Enrolment>;
export async function createIdentity(options: CreateIdentityOptions): Promise<Enrolment> {
  checkOptionNames(options, names);
  return makeEnrolment(encodeSubject(options.subject ?? ''), options);
}

/** @internal As `createIdentity`, for a subject that is encoded already. */
export async function makeEnrolment(
  subject: Der,
  options: Omit<CreateIdentityOptions, 'subject'>,
): Promise<PendingEnrolment<Identity>> {
  const { subjectAltNames = [], algorithm = 'ECDSA P-256', store, engine, signal } = options;
  const controls = checkedControls(options.controls ?? {});
  if (!store && Object.keys(controls).length > 0)
    throw new TypeError('"controls" must come with "store", which keeps them');
  if (!Array.isArray(subjectAltNames) || !subjectAltNames.every(it => typeof it === 'string'))
    throw new TypeError('"subjectAltNames" must be a list of strings');
  const isEmpty = subject.length === 2;
  if (isEmpty && subjectAltNames.length === 0)
    throw new TypeError('"subject" must name the identity, or "subjectAltNames"');
  signal?.throwIfAborted();
  requireWebCrypto();
  // Check first, so that nobody is prompted in vain.
  encodeAltNames(subjectAltNames);
  const reader = await createReader(engine);
  if (controls.userVerification === 'required') await checkSupport(algorithm);
  const id = crypto.randomUUID();
  const name = reader.describeName(subject);
  const label = controls.label ?? (name || (subjectAltNames[0] ?? ''));
  const wrapping = await store?.enrolments.prepareWrapping({
    id,
    label,
    controls,
    ...(signal && { signal }),
  });
  signal?.throwIfAborted();
  const { wrapped, ...pair } = await generateKeyPair(algorithm, wrapping);
  const request = await makeRequest(pair, { subject, subjectAltNames });
  signal?.throwIfAborted();
  const record = {
    id,
    request,
    publicKey: pair.publicKey,
    subject: name,
    keys: pair.keys,
    ...(wrapped && { wrapped }),
    controls,
    createdAt: new Date(),
  };
  if (!store) return new PendingEnrolment(record, { place: inMemory, reader });
  await store.enrolments.put(record);
  return new PendingEnrolment<Identity>(record, { place: inStore(store, record), reader });
}

/**
 * The enrolments that wait for their certificates in a store, oldest first.
 *
 * @param options `engine`: where engine.wasm is; default: found beside the module, or as given to `configure`
 * @throws MtlsError ERR_STORE_UNAVAILABLE, ERR_ENGINE_LOAD
 */
export async function pendingEnrolments(
  store: IdentityStore,
  { engine }: { engine?: WasmSource } = {},
): Promise<Enrolment<StoredIdentity>[]> {
  const records = await store.enrolments.all();
  if (records.length === 0) return [];
  const reader = await createReader(engine);
  return records.map(record => new PendingEnrolment(record, { place: inStore(store, record), reader }));
}
