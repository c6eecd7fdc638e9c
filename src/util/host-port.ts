/** A TCP port of a host. */
export interface HostPort {
  /** A DNS name or an IP address, IPv6 without brackets. */
  hostname: string;
  /** The port, from 1 to 65,535. */
  port: number;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort({ hostname, port }: HostPort): string {
  return `${bracketed(hostname)}:${port}`;
}

/** A host as URLs have it: an IPv6 address in brackets. */
export function bracketed(hostname: string): string {
  return hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname;
}

/** A host without the brackets that URLs have around an IPv6 address. */
export function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The server of an `https:` or `wss:` URL. */
export function serverOf({ hostname, port }: URL): HostPort {
  return { hostname: withoutBrackets(hostname), port: Number(port) || 443 };
}
