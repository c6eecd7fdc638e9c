import { MtlsError } from '../errors.js';
import { formatHostPort, type HostPort } from '../util/host-port.js';
import { CloseCode } from './close-codes.js';

/** What the WebSocket said when it closed: the two fields of a `CloseEvent` that the format uses. */
export interface Closing {
  code: number;
  reason: string;
}

/** The error that a WebSocket's close means to the one who opened the tunnel. */
export function closeError(closing: Closing, address: HostPort): MtlsError {
  const target = formatHostPort(address);
  switch (closing.code) {
    case CloseCode.target:
      return new MtlsError(
        'ERR_TUNNEL_DENIED',
        `the relay does not allow connections to ${target}: start it with --allow ${target}, or with the address that its log names`,
      );
    case CloseCode.token:
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        'the relay did not accept the token: set tunnelToken to one that it was started with (--token or RELAY_TOKEN)',
      );
    case CloseCode.origin:
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        `the relay does not serve this page's origin: start it with --origin ${globalThis.location?.origin ?? '<origin of the page>'}`,
      );
    case CloseCode.expired:
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        'the token for the relay has expired: get a new one, and make a client with it as tunnelToken',
      );
    case CloseCode.unavailable:
      return new MtlsError(
        'ERR_TUNNEL_UNREACHABLE',
        'the relay cannot check tokens at the moment, because it cannot fetch their keys: try again later, and see --jwt-jwks at the relay',
      );
    case CloseCode.limit:
      return new MtlsError('ERR_TUNNEL_UNREACHABLE', limitMessage(closing.reason));
    case CloseCode.unreachable:
      return new MtlsError('ERR_TUNNEL_UNREACHABLE', unreachableMessage(closing.reason, target));
    case CloseCode.targetReset:
      return new MtlsError('ERR_TUNNEL_RESET', `the target ${target} reset the connection`);
    case CloseCode.idle:
      return new MtlsError(
        'ERR_TUNNEL_CLOSED',
        `the relay closed the connection to ${target}: no bytes moved for its idle timeout (--idle-timeout)`,
      );
    case CloseCode.shutdown:
      return new MtlsError('ERR_TUNNEL_CLOSED', 'the tunnel broke: the relay is shutting down');
    case CloseCode.protocol:
    case CloseCode.helloTimeout:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
      return new MtlsError(
        'ERR_TUNNEL_PROTOCOL',
        `the relay found a fault in the tunnel's messages (close code ${closing.code}): use the same version of browser-mtls for page and relay`,
      );
    default:
      return new MtlsError(
        'ERR_TUNNEL_CLOSED',
        `the tunnel broke: the connection to the relay was lost (close code ${closing.code})`,
      );
  }
}

/** The error for a WebSocket that never opened; a browser does not tell why. */
export function openError(url: string, cause?: unknown): MtlsError {
  return new MtlsError(
    'ERR_TUNNEL_UNREACHABLE',
    `no browser-mtls relay answered at ${withoutQuery(url)}: check that it runs, that the address and path are right, and that the page may connect to it (Content-Security-Policy connect-src; an https page needs wss)`,
    cause === undefined ? undefined : { cause },
  );
}

function limitMessage(reason: string): string {
  switch (reason) {
    case 'connections-per-address':
      return 'the relay has as many connections from this address as it allows: close some, or raise --max-connections-per-address';
    case 'connections-per-subject':
      return 'the relay has as many connections with this token as it allows: close some, or raise --max-connections-per-subject';
    case 'streams':
    case 'stream-rate':
      return 'the relay allows this page no further connection at the moment: open fewer, or raise --max-streams and --new-streams-per-second';
    case 'attempts':
      return 'the relay refuses this address for up to a minute, because too many wrong tokens came from it: correct tunnelToken and try again later';
    case 'memory':
      return 'the relay closed the connection that held most of its memory: read and send less at once, or raise --max-buffered-bytes';
    default:
      return 'the relay has as many connections as it allows: try again later, or raise --max-connections';
  }
}

function unreachableMessage(reason: string, target: string): string {
  switch (reason) {
    case 'refused':
      return `the target ${target} refused the connection: check that a server listens on that port`;
    case 'dns':
      return `the relay cannot resolve the name of the target ${target}: check the name, and the relay's DNS`;
    case 'timeout':
      return `the target ${target} did not answer within the relay's connect timeout (--connect-timeout)`;
    default:
      return `the relay has no way to the target ${target}: check the network and its firewalls`;
  }
}

// A deployment's own secrets may be in the query, and a message holds none.
function withoutQuery(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
