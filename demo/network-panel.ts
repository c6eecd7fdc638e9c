import type { DiagnosticEvent, HandshakeEvent } from 'browser-mtls';
import { byId, h } from './dom.js';
import { formatBytes, formatMs } from './format.js';

const MAX_ROWS = 100;

interface RequestRow {
  row: HTMLTableRowElement;
  result: string;
}

/** What the browser's own network panel does not show: a listener for the diagnostics of a client, which fills the table. */
export function networkListener(): (event: DiagnosticEvent) => void {
  const rows = new Map<number, RequestRow>();
  return event => {
    switch (event.type) {
      case 'request': {
        const path = new URL(event.url);
        const row = addRow(`${event.method} ${path.host}${path.pathname}`, event.url, '…', '');
        rows.set(event.requestId, { row, result: '' });
        return;
      }
      case 'retry':
      case 'response':
      case 'request-end':
        updateRow(rows, event);
        return;
      case 'connection':
        addConnectionRow('Tunnel to', event, event.error === undefined ? 'open' : codeOf(event.error));
        return;
      case 'handshake':
        addConnectionRow('TLS with', event, event.agreed ? agreement(event.agreed) : codeOf(event.error));
        return;
      case 'challenge': {
        const answer = event.disposition ?? codeOf(event.error);
        addRow(
          `Challenge ${event.method}`,
          `${event.host}:${event.port}`,
          answer,
          formatMs(event.durationMs),
        );
        return;
      }
    }
  };
}

type RequestStep = Extract<DiagnosticEvent, { type: 'retry' | 'response' | 'request-end' }>;

function updateRow(rows: Map<number, RequestRow>, event: RequestStep): void {
  const request = rows.get(event.requestId);
  if (!request) return;
  const [, result, took] = request.row.cells;
  if (event.type === 'response')
    request.result = `${event.status} ${event.protocol}, connection ${event.connectionId}`;
  else if (event.type === 'retry') request.result = `${codeOf(event.error)}, tried again`;
  if (event.type === 'request-end') {
    rows.delete(event.requestId);
    const end = event.error === undefined ? formatBytes(event.bodyBytes) : codeOf(event.error);
    request.result = [request.result, end].filter(Boolean).join(', ');
    request.row.classList.toggle('bad', event.error !== undefined);
    if (took) took.textContent = formatMs(event.durationMs);
  }
  if (result) result.textContent = request.result;
}

function addConnectionRow(
  what: string,
  event: Extract<DiagnosticEvent, { type: 'connection' | 'handshake' }>,
  result: string,
): void {
  const place = `${event.host}:${event.port}`;
  const row = addRow(
    `${what} ${place}`,
    `connection ${event.connectionId}`,
    result,
    formatMs(event.durationMs),
  );
  row.classList.toggle('bad', event.error !== undefined);
}

function addRow(what: string, title: string, result: string, took: string): HTMLTableRowElement {
  const body = byId('network', HTMLTableSectionElement);
  const row = h('tr', {}, h('td', { title }, what), h('td', {}, result), h('td', {}, took));
  body.append(row);
  if (body.rows.length > MAX_ROWS) body.deleteRow(0);
  const box = byId('network-box', HTMLElement);
  box.hidden = false;
  byId('network-empty', HTMLElement).hidden = true;
  box.scrollTop = box.scrollHeight;
  return row;
}

function agreement(agreed: NonNullable<HandshakeEvent['agreed']>): string {
  const { tlsVersion, resumed, clientCertificateSent } = agreed;
  if (resumed) return `${tlsVersion}, resumed`;
  return `${tlsVersion}, ${clientCertificateSent ? 'with' : 'without'} a client certificate`;
}

/** A code says enough: the page shows the message elsewhere. */
function codeOf(error: unknown): string {
  const { code, name } = Object(error) as { code?: string; name?: string };
  return code ?? name ?? String(error);
}
