import * as pkijs from 'pkijs';
import { guarded, type Node } from '../asn1/asn1.js';
import { unsupported } from '../errors.js';

export interface Algorithm {
  oid: string;
  parameters: Node | undefined;
}

export function algorithm(node: Node | undefined): Algorithm {
  return guarded(() => algorithmOf(new pkijs.AlgorithmIdentifier({ schema: node })));
}

export function algorithmOf({ algorithmId, algorithmParams }: pkijs.AlgorithmIdentifier): Algorithm {
  return { oid: algorithmId, parameters: algorithmParams as Node | undefined };
}

/** What errors call the algorithms that are known but not read. */
const otherNames: Record<string, string> = {
  '1.2.840.113549.1.5.1': 'pbeWithMD2AndDES-CBC',
  '1.2.840.113549.1.5.4': 'pbeWithMD2AndRC2-CBC',
  '1.2.840.113549.2.2': 'MD2',
  '1.2.156.10197.1.401': 'SM3',
  '1.2.156.10197.1.104.2': 'SM4-CBC',
  '1.2.410.200004.1.4': 'SEED-CBC',
  '1.2.392.200011.61.1.1.1.2': 'Camellia-128-CBC',
  '1.2.392.200011.61.1.1.1.3': 'Camellia-192-CBC',
  '1.2.392.200011.61.1.1.1.4': 'Camellia-256-CBC',
  '1.2.643.2.2.9': 'GOST R 34.11-94',
  '1.2.643.2.2.21': 'GOST 28147-89',
  '1.2.643.7.1.1.2.2': 'GOST R 34.11-2012 (256 bits)',
  '1.2.643.7.1.1.2.3': 'GOST R 34.11-2012 (512 bits)',
  '1.2.643.7.1.1.4.1': 'HMAC GOST R 34.11-2012 (256 bits)',
  '1.2.643.7.1.1.4.2': 'HMAC GOST R 34.11-2012 (512 bits)',
  '1.3.36.3.2.1': 'RIPEMD-160',
  '2.16.840.1.101.3.4.1.26': 'AES-192-GCM',
  '2.16.840.1.101.3.4.2.7': 'SHA3-224',
  '2.16.840.1.101.3.4.2.8': 'SHA3-256',
  '2.16.840.1.101.3.4.2.9': 'SHA3-384',
  '2.16.840.1.101.3.4.2.10': 'SHA3-512',
};

export function unsupportedAlgorithm(oid: string): Error {
  const name = otherNames[oid];
  return unsupported(name ? `${name} (${oid})` : `the algorithm ${oid}`);
}
