import type { CertificateAuthority } from 'browser-mtls';

/** An endpoint of one's own, behind the page's session: it takes the request, and answers with PEM. */
export function ownEndpoint(url: string): CertificateAuthority {
  return {
    issue: (request, { signal }) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: request,
        credentials: 'same-origin',
        signal,
      }),
  };
}
