import type { Socket } from 'node:net';
import { ReceivedBytes } from '../../received-bytes.js';
import { normaliseAddress } from './address.js';

const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V2_HEADER_BYTES = 16;
/** Addresses take 36 bytes; the rest are extensions, of which certificates are the longest. */
const MAX_V2_BYTES = 4096;
/** The longest line of version 1, with its end. */
const MAX_V1_BYTES = 107;

export interface ProxyHeader {
  /** Bytes that the header takes. */
  length: number;
  /** The client's address; `undefined` where the proxy speaks for itself (health checks), or of something without one. */
  address: string | undefined;
}

/**
 * Reads a header of the PROXY protocol, version 1 or 2, at the start of a connection; `more` when it is not complete yet.
 *
 * @throws TypeError for anything else
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | 'more' {
  const signature = V2_SIGNATURE.subarray(0, bytes.length);
  if (bytes.subarray(0, V2_SIGNATURE.length).equals(signature)) return parseV2(bytes);
  return parseV1(bytes);
}

function parseV1(bytes: Buffer): ProxyHeader | 'more' {
  const end = bytes.indexOf('\r\n');
  const line = bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
  if (!line.startsWith('PROXY ') && !'PROXY '.startsWith(line)) throw malformed();
  if (end < 0) {
    if (bytes.length >= MAX_V1_BYTES) throw malformed();
    return 'more';
  }
  if (end + 2 > MAX_V1_BYTES) throw malformed();
  const length = end + 2;
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { length, address: undefined };
  const [, family, source, destination, ...ports] =
    /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? [];
  const isFamily = (text = '') =>
    normaliseAddress(text) !== undefined && text.includes(':') === (family === '6');
  if (!isFamily(source) || !isFamily(destination) || ports.some(port => Number(port) > 65535))
    throw malformed();
  return { length, address: normaliseAddress(source ?? '') };
}

function parseV2(bytes: Buffer): ProxyHeader | 'more' {
  if (bytes.length < V2_HEADER_BYTES) return 'more';
  const [versionAndCommand = 0, familyAndProtocol = 0] = bytes.subarray(V2_SIGNATURE.length);
  const length = V2_HEADER_BYTES + bytes.readUInt16BE(14);
  const command = versionAndCommand & 15;
  if (versionAndCommand >> 4 !== 2 || command > 1 || length > MAX_V2_BYTES) throw malformed();
  if (bytes.length < length) return 'more';
  // LOCAL: the proxy speaks for itself, and what follows is to be skipped.
  if (command === 0) return { length, address: undefined };
  const family = familyAndProtocol >> 4;
  if (family === 1 && length >= V2_HEADER_BYTES + 12) {
    return { length, address: [...bytes.subarray(16, 20)].join('.') };
  }
  if (family === 2 && length >= V2_HEADER_BYTES + 36) {
    const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + 2 * index).toString(16));
    return { length, address: normaliseAddress(groups.join(':')) };
  }
  if (family === 1 || family === 2 || family > 3) throw malformed();
  return { length, address: undefined };
}

/**
 * Takes the header from the start of a connection; what follows it is left to be read. Rejects for a malformed one; the promise
 * stays open when the connection ends before.
 */
export function takeProxyHeader(socket: Socket): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    const received = new ReceivedBytes();
    const onData = (chunk: Buffer) => {
      received.push(chunk);
      let header: ProxyHeader | 'more';
      try {
        header = parseProxyHeader(received.bytes);
      } catch (error) {
        socket.off('data', onData);
        reject(error);
        return;
      }
      if (header === 'more') return;
      socket.off('data', onData);
      socket.pause();
      if (received.length > header.length) socket.unshift(received.bytes.subarray(header.length));
      resolve(header);
    };
    socket.on('data', onData);
  });
}

function malformed(): TypeError {
  return new TypeError('not a header of the PROXY protocol');
}
