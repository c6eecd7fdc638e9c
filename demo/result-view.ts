import type { Certificate, ConnectionInfo, StoredIdentity } from 'browser-mtls';
import { fact, h } from './dom.js';
import { commonName, formatBytes, formatCount, formatDate, formatFingerprint, formatMs } from './format.js';
import { nameOf } from './identities-panel.js';
import type { RelayReport } from './relay-report.js';
import { chainList } from './trust-desk.js';

/** What the demo's server answers on `/`. */
export interface WhoAmI {
  client: {
    subject: string;
    issuer: string;
    serialNumber: string;
    fingerprint: string;
    notBefore: string;
    notAfter: string;
  } | null;
  tls: { version: string; cipher: string; alpn: string | null; resumed: boolean };
}

/** One request and its answer, as they are shown. */
export interface Exchange {
  url: string;
  response: Response;
  bodyText: string;
  bodyBytes: number;
  totalMs: number;
  info: ConnectionInfo | undefined;
  /** Whether the connection had carried a request before. */
  reused: boolean;
  relayBefore: RelayReport | undefined;
  relayAfter: RelayReport | undefined;
  identities: StoredIdentity[];
}

export function whoAmI(bodyText: string): WhoAmI | undefined {
  try {
    const value = JSON.parse(bodyText) as Partial<WhoAmI>;
    return value.tls && 'client' in value ? (value as WhoAmI) : undefined;
  } catch {
    return undefined;
  }
}

export function resultView(exchange: Exchange): Node[] {
  const { response, url, info, reused, totalMs } = exchange;
  const who = whoAmI(exchange.bodyText);
  return [
    h(
      'p',
      { class: `headline ${response.ok ? 'good' : 'warn'}` },
      h('strong', { 'data-testid': 'status' }, `${response.status} ${response.statusText}`.trim()),
      ` from ${new URL(url).host} in ${formatMs(totalMs)}`,
    ),
    ...(who ? [clientView(who, exchange.identities)] : []),
    connectionView(exchange, who),
    ...(info ? [timingsView(info, { reused, totalMs })] : []),
    relayView(exchange, who),
    ...(info && info.serverChain.length > 0 ? [chainView(info.serverChain)] : []),
    bodyView(exchange),
  ];
}

function clientView({ client }: WhoAmI, identities: StoredIdentity[]): HTMLElement {
  if (!client) return h('p', {}, 'The server saw no client certificate.');
  const own = identities.find(({ certificate }) => certificate.fingerprint === client.fingerprint);
  return group(
    'The server sees this client',
    h(
      'dl',
      { class: 'facts' },
      fact('Subject', client.subject, { 'data-testid': 'client-subject', class: 'strong' }),
      fact('Issuer', client.issuer, { 'data-testid': 'client-issuer' }),
      fact('Serial', client.serialNumber, { class: 'mono', 'data-testid': 'client-serial' }),
      fact('Valid', `${formatDate(new Date(client.notBefore))} to ${formatDate(new Date(client.notAfter))}`),
      fact('SHA-256', formatFingerprint(client.fingerprint), {
        class: 'mono',
        'data-testid': 'client-fingerprint',
      }),
    ),
    own && h('p', { class: 'match' }, `The fingerprint is that of “${nameOf(own)}” in this browser.`),
  );
}

function connectionView({ info, reused }: Exchange, who: WhoAmI | undefined): HTMLElement {
  const certificate = info && describeCertificate(info);
  return group(
    'Connection',
    h(
      'dl',
      { class: 'facts' },
      fact('TLS version', info?.tlsVersion ?? who?.tls.version ?? 'unknown', {
        'data-testid': 'tls-version',
      }),
      fact('Protocol', info?.protocol ?? who?.tls.alpn ?? 'http/1.1', { 'data-testid': 'protocol' }),
      fact('Cipher', info?.cipherSuite ?? who?.tls.cipher ?? 'unknown', {
        'data-testid': 'cipher',
        class: 'mono',
      }),
      ...(certificate ? [fact('Certificate', certificate, { 'data-testid': 'certificate-sent' })] : []),
      ...(info ? [fact('Session', sessionText(info, reused), { 'data-testid': 'session' })] : []),
      ...(info ? [fact('Bytes', bytesText(info), { 'data-testid': 'bytes' })] : []),
    ),
  );
}

function describeCertificate(info: ConnectionInfo): string {
  if (info.clientCertificateSent) return 'asked for and sent';
  if (info.resumed) return 'known from the resumed session';
  return info.clientCertificateRequested ? 'asked for, none sent' : 'not asked for';
}

function sessionText({ resumed }: ConnectionInfo, reused: boolean): string {
  const handshake = resumed ? 'resumed from an earlier connection' : 'full handshake';
  return reused ? `connection was open already (${handshake})` : `new connection, ${handshake}`;
}

function bytesText({ bytesSent, bytesReceived }: ConnectionInfo): string {
  return `${formatBytes(bytesSent)} sent, ${formatBytes(bytesReceived)} received on this connection`;
}

function timingsView(
  { timings }: ConnectionInfo,
  { reused, totalMs }: { reused: boolean; totalMs: number },
): HTMLElement {
  const opening: Array<[string, number]> = [
    ['Tunnel', timings.tunnelMs],
    ['Handshake', timings.handshakeMs],
  ];
  const parts: Array<[string, number]> = [...(reused ? [] : opening), ['Response', timings.responseMs]];
  const bar = h('div', { class: 'bar', 'aria-hidden': 'true' });
  for (const [name, ms] of parts) {
    const segment = h('span', { class: name.toLowerCase() });
    segment.style.flexGrow = String(Math.max(ms, 0));
    bar.append(segment);
  }
  const legend = parts.map(([name, ms]) =>
    h('li', { class: name.toLowerCase() }, `${name} `, h('strong', {}, formatMs(ms))),
  );
  return group(
    'Time',
    bar,
    h(
      'ul',
      { class: 'legend' },
      ...legend,
      h('li', {}, 'Request, body and all ', h('strong', {}, formatMs(totalMs))),
    ),
  );
}

function relayView({ relayBefore, relayAfter, info }: Exchange, who: WhoAmI | undefined): HTMLElement {
  if (!relayBefore || !relayAfter)
    return group('What the relay saw', h('p', {}, 'This relay keeps no record.'));
  const up = relayAfter.pageToTarget - relayBefore.pageToTarget;
  const down = relayAfter.targetToPage - relayBefore.targetToPage;
  const name = who?.client ? commonName(who.client.subject) : undefined;
  return group(
    'What the relay saw',
    h(
      'p',
      { 'data-testid': 'relay-bytes' },
      h('strong', {}, `${formatCount(up + down)} bytes of TLS records`),
      `: ${formatCount(up)} up, ${formatCount(down)} down. It knows which server, when and how much; to read more it has no key.`,
    ),
    name !== undefined &&
      relayAfter.found !== undefined &&
      h(
        'p',
        { 'data-testid': 'relay-search', 'data-found': relayAfter.found },
        searchText(name, relayAfter.found, info),
      ),
  );
}

function searchText(name: string, found: boolean, info: ConnectionInfo | undefined): string {
  if (!found) return `Its own record of them was searched for “${name}”: it is not there.`;
  const why =
    info?.tlsVersion === 'TLSv1.2'
      ? 'TLS 1.2 sends the client’s certificate in the clear during the handshake. TLS 1.3 does not.'
      : 'This should not be so.';
  return `Its own record of them holds “${name}”. ${why}`;
}

function chainView(chain: Certificate[]): HTMLElement {
  return group('Certificates of the server', chainList(chain));
}

function bodyView({ response, bodyText, bodyBytes }: Exchange): HTMLElement {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  return h(
    'details',
    { class: 'more' },
    h('summary', {}, `Headers and body (${formatBytes(bodyBytes)})`),
    h('pre', { tabindex: 0, role: 'group', 'aria-label': 'Headers' }, headers),
    h('pre', { tabindex: 0, role: 'group', 'aria-label': 'Body', 'data-testid': 'body-text' }, bodyText),
  );
}

function group(title: string, ...children: Array<Node | string | undefined | false>): HTMLElement {
  return h('div', { class: 'group' }, h('h3', {}, title), ...children);
}
