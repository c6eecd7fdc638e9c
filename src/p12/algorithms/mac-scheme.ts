import { type Node, sequence } from '../asn1/asn1.js';
import { damaged } from '../errors.js';
import { type Algorithm, algorithm, unsupportedAlgorithm } from './algorithm.js';
import { type HashName, hashes, hmacs } from './hashes.js';
import { keyDerivation, type Pbkdf2, type Scrypt } from './key-derivation.js';

const PBMAC1 = '1.2.840.113549.1.5.14';

/** How the MAC is keyed and made. */
export type MacScheme =
  | { kind: 'pkcs12'; hash: HashName }
  | { kind: 'pbmac1'; hash: HashName; derivation: Pbkdf2 | Scrypt; keyBytes: number };

/** The algorithm of a MAC's DigestInfo (RFC 7292, section 4; RFC 9579 for PBMAC1). */
export function macScheme({ oid, parameters }: Algorithm): MacScheme {
  if (oid === PBMAC1) return pbmac1(parameters);
  const hash = hashes[oid];
  if (!hash) throw unsupportedAlgorithm(oid);
  return { kind: 'pkcs12', hash };
}

/** RFC 9579, section 4: the key's length must be there. */
function pbmac1(parameters: Node | undefined): MacScheme {
  const [derivationNode, macNode] = sequence(parameters);
  const { keyLength, ...derivation } = keyDerivation(algorithm(derivationNode));
  const { oid } = algorithm(macNode);
  const hash = hmacs[oid];
  if (!hash) throw unsupportedAlgorithm(oid);
  if (keyLength === undefined || keyLength < 1 || keyLength > MAX_MAC_KEY_BYTES)
    throw damaged('the length of its MAC key is missing or senseless');
  return { kind: 'pbmac1', hash, derivation, keyBytes: keyLength };
}

const MAX_MAC_KEY_BYTES = 128;
