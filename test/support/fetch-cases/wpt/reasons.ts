/** Why the results of subtests differ. docs/fetch.md has each reason. */
export const reasons = {
  settable:
    'The page may set every header except those of the connection, because the identity belongs to the page, not to the browser.',
  origin:
    "Origin is sent only if the page sets it. It tells whose page uses a browser's credentials; here the page uses its own.",
  referrer:
    "Referer is sent only if referrer or referrerPolicy is given, because scripts cannot read the page's own policy.",
  cors: 'There is no CORS: every response is shown, and its type is "basic".',
  controls:
    "Control characters in a header's value are refused in requests, because RFC 9110 section 5.5 does not allow them.",
  misdirected:
    'A 421 is shown, not retried. Hosts do not share connections, so the same answer would come again.',
  unauthorized: 'A 401 is shown as it is. There is no prompt for a password, so the body is not sent again.',
  http1Streams: 'Streams are sent over HTTP/1.1 too, in chunks. A server that does not accept them says so.',
  duplex: 'A stream needs no duplex option. It is full duplex if the server is.',
  zeroLength:
    'Over HTTP/2 an unknown method without a body is sent with Content-Length: 0 (RFC 9110 section 8.6).',
} as const;
