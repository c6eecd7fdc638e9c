import type { RecordEngine } from '../../../../../src/tls/ciphers/record-engine.js';
import type { Algorithm } from '../../../../../src/tls/ciphers/traffic-keys.js';
import type { ExternalConnection } from '../../../../../src/tls/records/external-connection.js';
import { RecordLayer } from '../../../../../src/tls/records/record-layer.js';

/** Its two directions have the same keys: it opens what it has sealed, which is put into `sent`. */
export function mirroredLayer(
  engine: RecordEngine,
  algorithm: Algorithm,
  sent: Uint8Array[],
): Promise<RecordLayer> {
  const keys = () => ({ sequence: 0, algorithm, key: new Uint8Array(32).fill(7), iv: new Uint8Array(12) });
  const external = { sendKeys: keys(), receiveKeys: keys(), records: engine, free: () => {} };
  return RecordLayer.create(external as unknown as ExternalConnection, {
    version: 'TLSv1.3',
    transmit: bytes => void sent.push(bytes.slice()),
    warnings: 0,
  });
}
