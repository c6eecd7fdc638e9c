/** Why subtests come out otherwise. docs/fetch.md has each of them. */
export const reasons = {
  settable:
    'The caller may set every header but those of the connection: it is the page that is known to the server, not the browser.',
  origin:
    'Origin is sent only where the caller sets it: it protects what a browser would send along for any page, and here nothing is.',
  referrer:
    "Referer is sent only where referrer or referrerPolicy is given: what the page's own policy says is not shown to scripts.",
  cors: 'There is no CORS: every response is shown, and its type is "basic".',
  controls:
    'Control characters in the value of a header are refused in requests: RFC 9110 section 5.5 does not allow them.',
  misdirected:
    'A 421 is shown, not retried: connections are not shared by several hosts, so that the same answer would come again.',
  unauthorized:
    'A 401 is shown as it is: there is no prompt for a password after which the body would have to be sent again.',
  http1Streams: 'Streams go over HTTP/1.1 as well, chunked; a server that cannot take them says so.',
  duplex: 'A stream may come without duplex: it is full duplex where the server is.',
  zeroLength:
    'Over HTTP/2 a method that is not known, and has no body, is sent with Content-Length: 0 (RFC 9110 section 8.6).',
} as const;
