import { MtlsError } from '../errors.js';

/**
 * Pages have WebCrypto in secure contexts alone. Check early: what fails later blames the file or the server.
 *
 * @throws MtlsError ERR_INSECURE_CONTEXT
 */
export function requireWebCrypto(): void {
  if (globalThis.crypto?.subtle) return;
  throw new MtlsError(
    'ERR_INSECURE_CONTEXT',
    `The page's origin, ${globalThis.location?.origin}, is not a secure context, so there is no WebCrypto: open it over https:, or at http://localhost.`,
  );
}
