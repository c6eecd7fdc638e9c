import { unknownNumber } from '../../engine/abi.js';
import { WireReader } from '../../engine/wire.js';
import type { TlsInfo, TlsVersion } from '../types.js';
import type { HandshakeRespondent } from './handshake-respondent.js';

const decoder = new TextDecoder();

const versions = new Map<number, TlsVersion>([
  [0x0303, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
]);

/** As `Handshake` of wasm/engine/src/tls/connection.rs writes it. @throws MtlsError ERR_ENGINE_FAILED */
export function readInfo(bytes: Uint8Array, respondent: HandshakeRespondent): TlsInfo {
  const reader = new WireReader(bytes);
  return {
    version: readVersion(reader),
    cipherSuite: reader.str(),
    keyExchange: reader.str(),
    alpn: decoder.decode(reader.bytes()),
    resumed: reader.u8() !== 0,
    serverChain: reader.list(),
    clientCertificateRequested: respondent.requested,
    clientCertificateSent: respondent.sent,
  };
}

function readVersion(reader: WireReader): TlsVersion {
  const number = reader.u16();
  const version = versions.get(number);
  if (version === undefined) throw unknownNumber(number);
  return version;
}
