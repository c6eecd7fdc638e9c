const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const numberFormat = new Intl.NumberFormat();

export const formatDate = (date: Date) => dateFormat.format(date);
export const formatTime = (date: Date) => timeFormat.format(date);
export const formatCount = (count: number) => numberFormat.format(count);

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The first half of a SHA-256 in groups, as people compare fingerprints; the whole goes in a title. */
export function formatFingerprint(hex: string): string {
  return (hex.match(/.{1,4}/g) ?? []).join(' ');
}

/** `Ada Lovelace` of `CN=Ada Lovelace,O=…`, or the whole name when it has no common name. */
export function commonName(subject: string): string {
  const match = /(?:^|[,+])CN=((?:\\.|[^,+\\])*)/i.exec(subject);
  return match?.[1]?.replace(/\\(.)/g, '$1') || subject || 'no name';
}
