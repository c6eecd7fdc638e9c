// Records as they are read back. Another program or another version may have written them, and any script of the origin.
import type { Certificate } from '../../identity/types.js';
import { isListOf } from '../../util/lists.js';
import { areControls } from '../controls.js';
import { isSessionId } from '../tabs/browser-session.js';
import type { WrappedKey } from '../verification/wrapped-key.js';
import type { JournalEntry } from './journal.js';
import type { AnswerRecord, EnrolmentRecord, IdentityRecord } from './schema.js';

/**
 * Whether a record has what an identity is made of. Controls that this version would not have taken are controls that it cannot
 * enforce.
 */
export function isReadableIdentity(record: unknown): record is IdentityRecord {
  const {
    id,
    fingerprint,
    chain,
    otherChains = [],
    trust,
    controls,
    session,
    ...rest
  } = (record ?? {}) as Partial<IdentityRecord>;
  return (
    [id, fingerprint].every(isText) &&
    isChain(chain) &&
    isListOf(otherChains, isChain) &&
    holdsKey(rest) &&
    typeof trust?.trusted === 'boolean' &&
    areControls(controls) &&
    // Without its session it would never end.
    (controls.persistence !== 'session' || isSessionId(session)) &&
    isTime(rest.createdAt) &&
    [rest.lastUsedAt, rest.unlockedAt, rest.lockedAt].every(it => it === undefined || isTime(it))
  );
}

/** Whether a record has what an enrolment is made of. */
export function isReadableEnrolment(record: unknown): record is EnrolmentRecord {
  const { id, request, publicKey, subject, controls, ...rest } = (record ?? {}) as Partial<EnrolmentRecord>;
  return (
    [id, subject].every(isText) &&
    [request, publicKey].every(isBytes) &&
    holdsKey(rest) &&
    areControls(controls) &&
    isTime(rest.createdAt)
  );
}

/** Whether a record is an answer that can be given again. */
export function isReadableAnswer(record: unknown): record is AnswerRecord {
  const { key, host, givenAt, ...answer } = (record ?? {}) as AnswerRecord;
  if (!isText(key) || !isText(host) || !/:\d{1,5}$/.test(host) || !isTime(givenAt)) return false;
  if (answer.method === 'server-trust') return [answer.fingerprint, answer.code ?? ''].every(isText);
  return (
    answer.method === 'client-certificate' &&
    isText(answer.identityId) &&
    typeof answer.wasAllowed === 'boolean' &&
    isListOf(answer.intermediates, isBytes)
  );
}

/** The entries of a journal's record. */
export function readableEntries(record: unknown): JournalEntry[] {
  const { entries } = (record ?? {}) as { entries?: Partial<JournalEntry>[] };
  if (!Array.isArray(entries)) return [];
  return Object.values(entries).filter((it): it is JournalEntry => isTime(it?.at) && isText(it?.host));
}

/** Whether there are keys that cannot be exported, or a wrapped one in their place. */
function holdsKey({ keys, wrapped }: { keys?: CryptoKey[]; wrapped?: WrappedKey }): boolean {
  if (!isListOf(keys, isKey)) return false;
  return wrapped === undefined ? keys.length > 0 : keys.length === 0 && isWrappedKey(wrapped);
}

function isKey(value: unknown): value is CryptoKey {
  return value instanceof CryptoKey && value.type === 'private' && !value.extractable;
}

function isWrappedKey(value: Partial<WrappedKey> | null): boolean {
  return value?.pkcs8 instanceof ArrayBuffer && isBytes(value.iv) && isText(value.method);
}

function isChain(value: unknown): value is Certificate[] {
  return isListOf(value, isCertificate) && value.length > 0;
}

function isCertificate(value: unknown): value is Certificate {
  const { der, fingerprint, subject, issuer, keyAlgorithm, notBefore, notAfter } = (value ??
    {}) as Partial<Certificate>;
  return (
    isBytes(der) &&
    [fingerprint, subject, issuer, keyAlgorithm].every(isText) &&
    isTime(notBefore) &&
    isTime(notAfter)
  );
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
const isTime = (value: unknown): value is Date => value instanceof Date && !Number.isNaN(value.getTime());
