import type { Identity } from '../identity/types.js';

/** What people call an identity: its label, or the common name of its subject. */
export function nameOf(identity: Identity & { controls?: { label?: string } }): string {
  return (
    identity.controls?.label ||
    identity.label ||
    commonName(identity.certificate.subject) ||
    identity.certificate.subject
  );
}

/** The CN of a name in the form of RFC 4514, without its escapes. */
export function commonName(name: string): string | undefined {
  const [, value] = /(?:^|[,+])CN=((?:\\.|[^,+\\])*)/.exec(name) ?? [];
  return value?.replace(/\\([^0-9a-fA-F])/g, '$1');
}

export function day(date: Date): string {
  return date.toLocaleDateString(undefined, { dateStyle: 'medium' });
}
