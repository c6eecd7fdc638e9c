import type { CertificateAuthority } from 'browser-mtls';

/** EST (RFC 7030): the request in base64, the answer a PKCS#7 in base64. `/cacerts` has the issuers. */
export function est(
  url: string,
  options: { fetch: typeof fetch; authorization: string },
): CertificateAuthority {
  const { fetch, authorization } = options;
  const post = (operation: string, request: Uint8Array, signal: AbortSignal) =>
    fetch(`${url}/.well-known/est/${operation}`, {
      method: 'POST',
      headers: { 'content-type': 'application/pkcs10', 'content-transfer-encoding': 'base64', authorization },
      body: btoa(String.fromCharCode(...request)),
      signal,
    });
  const certificates = async (operation: string, request: Uint8Array, signal: AbortSignal) => [
    await post(operation, request, signal),
    await fetch(`${url}/.well-known/est/cacerts`, { signal }),
  ];
  return {
    issue: (request, { signal }) => certificates('simpleenroll', request, signal),
    renew(request, { signal }) {
      if (!request) throw new TypeError('EST renews for a request: renew with newKey');
      return certificates('simplereenroll', request, signal);
    },
  };
}
