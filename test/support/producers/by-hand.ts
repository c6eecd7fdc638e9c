// Files as no program of this folder writes them, but others in the field do.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  bitString,
  type Der,
  element,
  objectIdentifier,
  sequence,
  setOf,
  Tag,
} from '../../../src/enroll/der.js';
import { elementsOf, firstElementOf } from '../../../src/identity/der.js';
import { AUTHORITY, commonName, forge, spkiOf } from '../forged-certificates.js';
import { bmp, certificateBag, keyBag, oddPkcs12, pbes2, pkcs8Of, shroudedKeyBag } from '../odd-pkcs12.js';
import type { ProducedFile } from './types.js';

const PASSWORD = 'secret';
const RSA = objectIdentifier('1.2.840.113549.1.1.1');
const EC = objectIdentifier('1.2.840.10045.2.1');
const P256 = objectIdentifier('1.2.840.10045.3.1.7');
const ED25519 = objectIdentifier('1.3.101.112');
const NULL = element(Tag.null);

const integer = (...content: number[]) => element(Tag.integer, Uint8Array.from(content));
const octets = (...content: Uint8Array[]) => element(Tag.octetString, ...content);
const zero = Uint8Array.of(0);
const one = integer(1);

interface Parts {
  content: Der;
  whole: Der;
}

const contentOf = (der: Der) => firstElementOf(der).content as Der;

/** The elements inside of one. */
function inside(der: Der): Parts[] {
  return elementsOf(firstElementOf(der).content) as Parts[];
}

const at = (elements: readonly Parts[], index: number): Parts => elements[index] as Parts;

/** A public key of RSA whose AlgorithmIdentifier has no parameters. */
export function withoutNull(spki: Der): Der {
  return sequence(sequence(RSA), at(inside(spki), 1).whole);
}

/** A public key on P-256 whose point is compressed. */
export function compressed(spki: Der): Der {
  const [algorithm, bits] = [0, 1].map(it => at(inside(spki), it)) as [Parts, Parts];
  return sequence(algorithm.whole, bitString(compressedPoint(bits.content.subarray(1))));
}

function compressedPoint(point: Uint8Array): Uint8Array {
  return Uint8Array.from([2 + signOf(point), ...point.subarray(1, 33)]);
}

const signOf = (point: Uint8Array) => (point.at(-1) ?? 0) & 1;

interface OddKey {
  name: string;
  key: KeyObject;
  /** Of the certificate. */
  spki?: Der;
  /** Of the private key. */
  pkcs8?: Der;
  /** A certificate in front of its own. */
  first?: Der;
}

function rsaKeys(): OddKey[] {
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pkcs8 = pkcs8Of(key);
  const [version, algorithm, octetString] = [0, 1, 2].map(it => at(inside(pkcs8), it).whole) as [
    Der,
    Der,
    Der,
  ];
  const numbers = inside(at(inside(pkcs8), 2).content);
  const info = (identifier: Der, ...fields: Der[]) =>
    sequence(version, identifier, octets(sequence(...fields)));
  const wholes = numbers.map(it => it.whole);
  const changed = (change: (content: Uint8Array) => Uint8Array) =>
    numbers.map((it, i) => (i === 0 ? it.whole : element(Tag.integer, change(it.content))));
  const publicNumbers = bitString(sequence(...wholes.slice(1, 3)));
  const attributes = element(
    0xa0,
    sequence(objectIdentifier('2.5.29.15'), setOf([bitString(Uint8Array.of(0x80))])),
  );
  const keys: Omit<OddKey, 'key'>[] = [
    { name: 'certificate without NULL', spki: withoutNull(spkiOf(key)) },
    { name: 'key without NULL', pkcs8: info(sequence(RSA), ...wholes) },
    {
      name: 'certificate and key without NULL',
      spki: withoutNull(spkiOf(key)),
      pkcs8: info(sequence(RSA), ...wholes),
    },
    {
      name: 'certificate with zeros in front of its numbers',
      spki: sequence(algorithm, bitString(sequence(...changed(it => Buffer.concat([zero, it])).slice(1, 3)))),
    },
    {
      name: 'key with zeros in front of its numbers',
      pkcs8: info(algorithm, ...changed(it => Buffer.concat([zero, it]))),
    },
    {
      name: 'key with numbers that look negative',
      pkcs8: info(algorithm, ...changed(it => (it[0] === 0 ? it.subarray(1) : it))),
    },
    { name: 'key with attributes', pkcs8: sequence(version, algorithm, octetString, attributes) },
    {
      name: 'key of version 2 with its public key',
      pkcs8: sequence(one, algorithm, octetString, element(0x81, contentOf(publicNumbers))),
    },
    {
      name: 'key in BER',
      pkcs8: Buffer.concat([Uint8Array.of(0x30, 0x80), version, algorithm, octetString, zero, zero]) as Der,
    },
    {
      name: 'key in chunks',
      pkcs8: sequence(
        version,
        algorithm,
        element(
          0x24,
          ...[0, 1].map(i => octets(at(inside(pkcs8), 2).content.subarray(100 * i, i ? undefined : 100))),
        ),
      ),
    },
    { name: 'key with something behind it', pkcs8: Buffer.concat([pkcs8, zero, zero]) as Der },
  ];
  return keys.map(it => ({ ...it, name: `RSA ${it.name}`, key }));
}

function ecKeys(): OddKey[] {
  const key = ecKeyWithShortScalar();
  const pkcs8 = pkcs8Of(key);
  const [version, algorithm] = [0, 1].map(it => at(inside(pkcs8), it).whole) as [Der, Der];
  const [, scalar, tagged] = inside(at(inside(pkcs8), 2).content) as [Parts, Parts, Parts];
  const point = at(inside(spkiOf(key)), 1).content.subarray(1);
  const hybrid = Uint8Array.from([6 + signOf(point), ...point.subarray(1)]);
  const curve = element(0xa0, P256);
  const info = (identifier: Der, ...fields: Der[]) =>
    sequence(version, identifier, octets(sequence(one, ...fields)));
  const own = scalar.whole;
  const keys: Omit<OddKey, 'key'>[] = [
    { name: 'certificate with a compressed point', spki: compressed(spkiOf(key)) },
    { name: 'certificate with a hybrid point', spki: sequence(algorithm, bitString(hybrid)) },
    { name: 'key without its public key', pkcs8: info(algorithm, own) },
    {
      name: 'key with a compressed point',
      pkcs8: info(algorithm, own, element(0xa1, bitString(compressedPoint(point)))),
    },
    { name: 'key that names its curve twice', pkcs8: info(algorithm, own, curve, tagged.whole) },
    { name: 'key that names its curve inside alone', pkcs8: info(sequence(EC), own, curve, tagged.whole) },
    { name: 'key with NULL in place of the curve', pkcs8: info(sequence(EC, NULL), own, curve) },
    {
      name: 'key with a scalar that is too short',
      pkcs8: info(algorithm, octets(scalar.content.subarray(1))),
    },
    {
      name: 'key with a scalar that is too long',
      pkcs8: info(algorithm, octets(zero, scalar.content), tagged.whole),
    },
    {
      name: 'key of version 2',
      pkcs8: sequence(one, algorithm, at(inside(pkcs8), 2).whole, element(0x81, zero, point)),
    },
  ];
  return keys.map(it => ({ ...it, name: `EC ${it.name}`, key }));
}

/** One in 256 begins with a zero, which some writers leave out. */
function ecKeyWithShortScalar(): KeyObject {
  for (;;) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { d = '' } = privateKey.export({ format: 'jwk' });
    if (Buffer.from(d, 'base64url')[0] === 0) return privateKey;
  }
}

function ed25519Keys(): OddKey[] {
  // WebKitGTK refuses seeds that begin with a zero (docs/browsers.md).
  const seed = Buffer.alloc(32, 0x5a);
  const pkcs8 = (algorithm: Der, key: Der) => sequence(integer(0), algorithm, octets(key));
  const plain = sequence(ED25519);
  const key = createPrivateKey({
    key: Buffer.from(pkcs8(plain, octets(seed))),
    type: 'pkcs8',
    format: 'der',
  });
  const bits = at(inside(spkiOf(key)), 1).whole;
  const keys: Omit<OddKey, 'key'>[] = [
    { name: 'certificate with NULL', spki: sequence(sequence(ED25519, NULL), bits) },
    { name: 'key with NULL', pkcs8: pkcs8(sequence(ED25519, NULL), octets(seed)) },
    { name: 'key as the seed alone', pkcs8: pkcs8(plain, Uint8Array.from(seed)) },
    {
      name: 'key of version 2',
      pkcs8: sequence(one, plain, octets(octets(seed)), element(0x81, contentOf(bits))),
    },
  ];
  return keys.map(it => ({ ...it, name: `Ed25519 ${it.name}`, key }));
}

/** Firefox takes a key of any curve for one of any other. */
function otherCurve(): OddKey {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { privateKey: signer } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = commonName('Stranger');
  const first = forge({ subject: name, key: signer }).der;
  return { name: 'EC key of another curve than the first certificate', key, first };
}

/** Keys and certificates with encodings that WebCrypto is strict about, each in clear and encrypted. */
export function byHandProduces(): ProducedFile[] {
  const { privateKey: authority } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const root = forge({
    subject: commonName('Odd CA'),
    key: authority,
    spki: withoutNull(spkiOf(authority)),
    extensions: AUTHORITY,
  });
  return [...rsaKeys(), ...ecKeys(), ...ed25519Keys(), otherCurve()].flatMap(
    ({ name, key, spki, first, pkcs8 = pkcs8Of(key) }) => {
      const { der } = forge({ subject: commonName('odd'), by: root, key, ...(spki && { spki }) });
      const bags = [...(first ? [first] : []), der, root.der].map(it => certificateBag(it));
      const file = (how: string, bag: Der): ProducedFile => ({
        producer: 'by hand',
        name: `${name}, ${how}`,
        bytes: oddPkcs12([[bag], bags], { mac: bmp(PASSWORD) }),
        password: PASSWORD,
        expected: { identities: [{ commonName: 'odd', chain: 2, key }], certificates: first ? 1 : 0 },
        core: true,
      });
      return [file('in clear', keyBag(pkcs8)), file('encrypted', shroudedKeyBag(pbes2(pkcs8, PASSWORD)))];
    },
  );
}
