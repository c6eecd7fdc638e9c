import { MtlsError } from '../errors.js';
import { renegotiationError } from '../tls/errors/failure.js';
import { readAll } from './body/read-all.js';
import type { TransportInfo } from './connection-info.js';
import type { ResponseHead } from './http-engine.js';
import type { RawResponse } from './raw-response.js';

/** nginx's page has about 240 bytes, and up to 600 for old browsers. */
const MAX_PAGE_BYTES = 2048;

/** nginx's names for its statuses 496 and 495, which it sends as 400. */
const missing = '400 No required SSL certificate was sent';
const rejected = '400 The SSL certificate error';

/** In Apache's page for a Location that wants a certificate, in TLS 1.3, from a client that gives none after the handshake. */
const afterHandshake = 'Cannot perform Post-Handshake Authentication';

/**
 * nginx (`ssl_verify_client on`) completes the handshake whatever certificate it gets, and says what it thinks of
 * it in a page of its own; so does Apache, when it can't ask for one any more. Throws if the response is such a page;
 * otherwise gives the response back, its body unread or whole.
 *
 * @throws MtlsError ERR_TLS_CLIENT_CERT_REQUIRED, ERR_TLS_CLIENT_CERT_REJECTED, ERR_TLS_RENEGOTIATION, by the promise
 */
export function checkCertificateRefusal(response: RawResponse): RawResponse | Promise<RawResponse> {
  return mayBeRefusal(response.head, response.connection.transport) ? checkPage(response) : response;
}

async function checkPage(response: RawResponse): Promise<RawResponse> {
  const page = await readAll(response.body);
  const refusal = certificateRefusal(page, response.connection.transport);
  if (refusal) {
    response.connection.noteRefusal();
    throw refusal;
  }
  return { ...response, body: streamOf(page) };
}

/** What a page says, if it is nginx's or Apache's. */
export function certificateRefusal(
  page: Uint8Array,
  {
    clientCertificateSent,
    clientCertificateAbsence,
  }: Pick<TransportInfo, 'clientCertificateSent' | 'clientCertificateAbsence'>,
): MtlsError | undefined {
  const text = new TextDecoder().decode(page);
  const title = /<title>(.*?)<\/title>/s.exec(text)?.[1];
  if (title === '403 Forbidden' && text.includes(afterHandshake)) return renegotiationError();
  if (title === missing && !clientCertificateSent) {
    return new MtlsError(
      'ERR_TLS_CLIENT_CERT_REQUIRED',
      `The server requires a client certificate, and none was sent: ${clientCertificateAbsence ?? 'none was given'}.`,
    );
  }
  if (title !== rejected && title !== missing) return undefined;
  return new MtlsError('ERR_TLS_CLIENT_CERT_REJECTED', 'The server does not accept the client certificate.');
}

/** Whether the body, which is short then, should be looked at. */
export function mayBeRefusal(
  head: ResponseHead,
  { clientCertificateRequested, resumed }: Pick<TransportInfo, 'clientCertificateRequested' | 'resumed'>,
): boolean {
  // Where a session is resumed, the server may have asked when it was made.
  const refuses = head.status === 400 ? clientCertificateRequested || resumed : head.status === 403;
  if (!refuses) return false;
  const fields = new Map(head.headers);
  const length = Number(fields.get('content-length') ?? Number.NaN);
  const isPage = /^text\/html\b/i.test(fields.get('content-type') ?? '') && !fields.has('content-encoding');
  return isPage && length > 0 && length <= MAX_PAGE_BYTES;
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      if (bytes.length) controller.enqueue(bytes);
      controller.close();
    },
  });
}
