/** The relay's own count of what it passed on, and whether a text stood readable in it. */
export interface RelayReport {
  position: number;
  pageToTarget: number;
  targetToPage: number;
  found?: boolean;
}

/** Asks the demo for it. Undefined where there is none, as with another relay. */
export async function relayReport(
  query: { since?: number; text?: string } = {},
): Promise<RelayReport | undefined> {
  const parameters = new URLSearchParams();
  if (query.since !== undefined) parameters.set('since', String(query.since));
  if (query.text) parameters.set('text', query.text);
  try {
    const response = await fetch(`./demo-relay.json?${parameters}`);
    return response.ok ? ((await response.json()) as RelayReport) : undefined;
  } catch {
    return undefined;
  }
}
