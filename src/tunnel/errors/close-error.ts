import { MtlsError } from '../../errors.js';
import { formatHostPort, type HostPort } from '../../util/host-port.js';
import { CloseCode, ResetCode } from '../wire/codes.js';

/** What the WebSocket said when it closed: the two fields of a `CloseEvent` that the format uses. */
export interface Closing {
  code: number;
  reason: string;
}

const losses = new WeakSet<object>();

/** Whether a stream ended with its WebSocket, for a reason that is not its own: another WebSocket may serve. */
export function isSocketLoss(error: unknown): boolean {
  return typeof error === 'object' && error !== null && losses.has(error);
}

/**
 * The error that the close of a WebSocket means to its streams. `renews`: the page was admitted, and its next WebSocket would have
 * another token.
 */
export function closeError({ code, reason }: Closing, { renews }: { renews: boolean }): MtlsError {
  switch (code) {
    case CloseCode.token:
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        'The relay did not accept the token: set tunnelToken to one that it admits (--token-file, RELAY_TOKEN or --jwt-issuer).',
      );
    case CloseCode.expired:
      if (renews)
        return socketLoss('The tunnel broke: the token of the connection to the relay has expired.');
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        'The token has expired: give a function as tunnelToken, which gets another.',
      );
    case CloseCode.origin:
      return new MtlsError(
        'ERR_TUNNEL_AUTH',
        `The relay does not serve this page's origin: start it with --origin ${globalThis.location?.origin ?? '<origin of the page>'}.`,
      );
    case CloseCode.unavailable:
      return new MtlsError(
        'ERR_TUNNEL_UNREACHABLE',
        'The relay cannot check tokens at the moment, because it cannot fetch their keys: try again later, and see --jwt-jwks at the relay.',
      );
    case CloseCode.limit:
      return new MtlsError('ERR_TUNNEL_UNREACHABLE', socketLimitMessage(reason));
    case CloseCode.shutdown:
      return socketLoss('The tunnel broke: the relay is shutting down.');
    case CloseCode.lifetime:
      return socketLoss('The tunnel broke: the connection to the relay has reached its greatest age.');
    case CloseCode.protocol:
    case CloseCode.helloTimeout:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
      return new MtlsError(
        'ERR_TUNNEL_PROTOCOL',
        `The relay found a fault in the tunnel's messages (close code ${code}): use the same version of browser-mtls for page and relay.`,
      );
    default:
      return socketLoss(`The tunnel broke: the connection to the relay was lost (close code ${code}).`);
  }
}

/** The error that RESET of the relay means to its stream. */
export function resetError({ code, reason }: Closing, address: HostPort): MtlsError {
  const target = formatHostPort(address);
  switch (code) {
    case ResetCode.denied:
      return new MtlsError(
        'ERR_TUNNEL_DENIED',
        `The relay does not allow connections to ${target}: start it with --allow ${target}, or with the address that its log names.`,
      );
    case ResetCode.notTls:
      return new MtlsError(
        'ERR_TUNNEL_DENIED',
        `The relay passes on TLS to ${target} alone, and found no ClientHello for that name (--require-tls).`,
      );
    case ResetCode.unreachable:
      return new MtlsError('ERR_TUNNEL_UNREACHABLE', unreachableMessage(reason, target));
    case ResetCode.limit:
      return new MtlsError('ERR_TUNNEL_UNREACHABLE', streamLimitMessage(reason));
    case ResetCode.targetReset:
      return new MtlsError('ERR_TUNNEL_RESET', `The target ${target} reset the connection.`);
    case ResetCode.idle:
      return new MtlsError(
        'ERR_TUNNEL_CLOSED',
        `The relay closed the connection to ${target}: no bytes moved for its idle timeout (--idle-timeout).`,
      );
    default:
      return new MtlsError(
        'ERR_TUNNEL_CLOSED',
        `The relay ended the connection to ${target}, for a reason that this version does not know (code ${code}).`,
      );
  }
}

export function silenceError(): MtlsError {
  return socketLoss('The tunnel broke: the relay does not answer, or the network on the way to it is gone.');
}

export function protocolError(what: string): MtlsError {
  return new MtlsError(
    'ERR_TUNNEL_PROTOCOL',
    `The relay sent ${what}: use the same version of browser-mtls for page and relay.`,
  );
}

/** No stream became free in time. */
export function fullError(maxStreams: number): MtlsError {
  return new MtlsError(
    'ERR_TUNNEL_UNREACHABLE',
    `The relay allows ${maxStreams} streams at once on a WebSocket, and none has ended in time: end some, raise its limit, or set the option sockets.`,
  );
}

function socketLoss(message: string): MtlsError {
  const error = new MtlsError('ERR_TUNNEL_CLOSED', message);
  losses.add(error);
  return error;
}

function socketLimitMessage(reason: string): string {
  switch (reason) {
    case 'connections-per-address':
      return 'The relay has as many connections from this address as it allows: close some, or raise --max-connections-per-address.';
    case 'connections-per-subject':
      return 'The relay has as many connections with this token as it allows: close some, or raise --max-connections-per-subject.';
    case 'attempts':
      return 'The relay refuses this address for up to a minute, because too many wrong tokens came from it: correct tunnelToken and try again later.';
    case 'memory':
      return 'The relay closed the connection that held most of its memory: read and send less at once, or raise --max-buffered-bytes.';
    default:
      return 'The relay has as many connections as it allows: try again later, or raise --max-connections.';
  }
}

function streamLimitMessage(reason: string): string {
  switch (reason) {
    case 'streams':
      return 'The relay has as many streams of this page as it allows: end some, or raise --max-streams.';
    case 'streams-in-all':
      return 'The relay has as many streams as it allows: try again later, or raise --max-streams-in-all.';
    case 'streams-per-address':
      return 'The relay has as many streams from this address as it allows: end some, or raise --max-streams-per-address.';
    case 'streams-per-subject':
      return 'The relay has as many streams with this token as it allows: end some, or raise --max-streams-per-subject.';
    case 'stream-rate':
      return 'The relay has had too many new streams of this page lately: try again later, or raise --new-streams-per-second.';
    case 'stream-rate-per-address':
      return 'The relay has had too many new streams from this address lately: try again later, or raise --new-streams-per-second-per-address.';
    case 'lookups':
      return 'The relay looks up as many names at once as it allows: try again later, and check the DNS of the relay.';
    default:
      return 'The relay has no memory left for another stream: try again later, or raise --max-buffered-bytes.';
  }
}

function unreachableMessage(reason: string, target: string): string {
  switch (reason) {
    case 'refused':
      return `The target ${target} refused the connection: check that a server listens on that port.`;
    case 'dns':
      return `The relay cannot resolve the name of the target ${target}: check the name, and the relay's DNS.`;
    case 'timeout':
      return `The target ${target} did not answer within the relay's connect timeout (--connect-timeout).`;
    default:
      return `The relay has no way to the target ${target}: check the network and its firewalls.`;
  }
}
