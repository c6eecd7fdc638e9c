import { MtlsError, type MtlsErrorCode } from '../errors.js';
import { concatenated } from '../util/bytes.js';
import { orAborted } from '../util/promises.js';

/** The `cause` of ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING and ERR_ENROLL_UNREACHABLE if a server answered. */
export interface Refusal {
  /** The HTTP status. */
  status: number;
  /** The server's message: one line of at most 300 characters. Empty: there was none that can be shown. */
  message: string;
}

export interface DownloadOptions {
  /** Names the server in messages. */
  who: string;
  fetch: typeof globalThis.fetch;
  signal: AbortSignal | undefined;
  maxBytes: number;
  /** The code for an answer that is larger. */
  tooLarge: MtlsErrorCode;
  /** Is not to appear in any message. */
  secret?: string | undefined;
}

/** For certificates: hundreds of them. */
export const certificateLimit = { maxBytes: 1024 * 1024, tooLarge: 'ERR_ENROLL_CERTIFICATE' } as const;

/** The server is there, but what is behind it is not (RFC 9110, section 15.6). */
const GATEWAY_FAILURES = [502, 503, 504];
/** To be asked again later: somebody has to approve it, say (RFC 7030, section 4.2.3). */
const ACCEPTED = 202;
const MAX_MESSAGE_LENGTH = 300;
const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * The body of a successful answer.
 *
 * @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING, or the signal's reason
 */
export function download(
  url: URL,
  init: RequestInit,
  options: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { fetch, signal, who } = options;
  return unlessAborted(signal, who, async () =>
    bodyOf(await fetch(url, { cache: 'no-store', ...init, ...(signal && { signal }) }), options),
  );
}

/** Runs an exchange with a server; what it throws becomes an `MtlsError`, or the signal's reason. */
export async function unlessAborted<T>(
  signal: AbortSignal | undefined,
  who: string,
  act: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await orAborted(act(), signal);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof MtlsError) throw cause;
    throw unreachable(`${who} could not be reached: ${reasonOf(cause)}`, cause);
  }
}

/** @throws MtlsError ERR_ENROLL_UNREACHABLE, ERR_ENROLL_REJECTED, ERR_ENROLL_PENDING */
export async function bodyOf(
  response: Response,
  options: Pick<DownloadOptions, 'who' | 'maxBytes' | 'tooLarge' | 'secret'>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!response.ok || response.status === ACCEPTED) throw await refused(response, options);
  const { who, maxBytes, tooLarge } = options;
  const body = await readBody(response, maxBytes);
  if (!body) throw new MtlsError(tooLarge, `${who} sent more than ${maxBytes} bytes.`);
  return body;
}

async function refused(
  response: Response,
  { who, secret }: Pick<DownloadOptions, 'who' | 'secret'>,
): Promise<MtlsError> {
  const { status } = response;
  const body = await readBody(response, MAX_REFUSAL_BYTES).catch(() => undefined);
  const message = shown(messageOf(body), secret);
  const cause: Refusal = { status, message };
  return new MtlsError(codeOf(status), `${who} answered ${status}${message && `: ${message}`}`, { cause });
}

function codeOf(status: number): MtlsErrorCode {
  if (status === ACCEPTED) return 'ERR_ENROLL_PENDING';
  return GATEWAY_FAILURES.includes(status) ? 'ERR_ENROLL_UNREACHABLE' : 'ERR_ENROLL_REJECTED';
}

function unreachable(message: string, cause?: unknown): MtlsError {
  return new MtlsError('ERR_ENROLL_UNREACHABLE', message, { cause });
}

/** The client's own errors say what to do; that of a browser's fetch says nothing. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error ? cause.cause : undefined;
  if (inner instanceof MtlsError) return inner.message;
  return 'no answer came (the network, its certificate, CORS or Content-Security-Policy; `cause` has what is known).';
}

/** Undefined when it is larger. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let { value } = await reader.read(); value; { value } = await reader.read()) {
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel().catch(() => {});
      return undefined;
    }
    chunks.push(value);
  }
  return concatenated(chunks);
}

/** The `message` (step-ca), `detail` (RFC 9457) or `error` of a JSON answer, or a plain text. */
function messageOf(body: Uint8Array | undefined): string {
  const text = new TextDecoder().decode(body);
  try {
    const answer = JSON.parse(text) as Record<string, unknown> | null;
    const found = [answer?.message, answer?.detail, answer?.title, answer?.error];
    return found.find(it => typeof it === 'string') ?? '';
  } catch {
    return /^\s*</.test(text) ? '' : text;
  }
}

function shown(message: string, secret: string | undefined): string {
  const line = (secret ? message.replaceAll(secret, '…') : message).replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
}

/** @throws TypeError unless it is an http: or https: address without a password in it */
export function httpUrl(url: string | URL): URL {
  const base = globalThis.location?.href;
  if (!URL.canParse(url, base)) throw new TypeError('"url" must be an address');
  const parsed = new URL(url, base);
  if (!/^https?:$/.test(parsed.protocol)) throw new TypeError('"url" must be an https: address');
  if (parsed.username || parsed.password) throw new TypeError('"url" must have no user name and no password');
  return parsed;
}
