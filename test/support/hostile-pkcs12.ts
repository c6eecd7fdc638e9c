// Files whose products are large although each count is small, or the other way round.
import { type KeyObject, randomBytes } from 'node:crypto';
import { bitString, type Der, element, objectIdentifier, sequence, Tag } from '../../src/enroll/der.js';
import { AUTHORITY, commonName, type Forged, forge, makeKey } from './forged-certificates.js';
import { bmp, certificateBag, encrypt, keyBag, oddPkcs12, pkcs8Of, tripleDes } from './odd-pkcs12.js';

type File = Uint8Array<ArrayBuffer>;

const key = makeKey();
const own = forge({ subject: commonName('own'), key });
const good = [keyBag(pkcs8Of(key)), certificateBag(own.der)];

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const explicit = (content: Uint8Array) => element(0xa0, content);
const octets = (content: Uint8Array) => element(Tag.octetString, content);
/** Of a type without meaning. */
const bag = (content: Uint8Array, ...attributes: Der[]) =>
  sequence(objectIdentifier('1.2.3'), explicit(content), element(Tag.set, ...attributes));
const serial = (index: number) => Uint8Array.of(1, index >> 8, index & 0xff);

/** What opens although something in it is absurd. All hold one good identity. */
export const absurdFiles: Record<string, () => File> = {
  'a name of zeros': () =>
    oddPkcs12([[...good, certificateBag(own.der, { name: `${'\0'.repeat(200_000)}x` })]]),
  'a long object identifier': () =>
    oddPkcs12([[...good, sequence(element(Tag.objectIdentifier, new Uint8Array(1_000_000)))]]),
  'many attributes': () =>
    oddPkcs12([
      [...good, bag(sequence(), ...many(9_000, () => sequence(objectIdentifier('1.2.3'), sequence())))],
    ]),
  'many chunks': () => {
    const chunks = element(0x24, ...many(40_000, i => octets(Uint8Array.of(i))));
    const type = objectIdentifier('1.2.840.113549.1.9.22.1');
    const certificate = objectIdentifier('1.2.840.113549.1.12.10.1.3');
    return oddPkcs12([good, [sequence(certificate, explicit(sequence(type, explicit(chunks))))]]);
  },
  'many parts': () => oddPkcs12([good, ...many(999, () => [bag(sequence())])]),
  'many compressed points': () => oddPkcs12([[...good, ...many(900, i => certificateBag(withPoint(i)))]]),
  'a long part by 3DES': () =>
    oddPkcs12([encrypt([bag(octets(randomBytes(1_000_000))), ...good], it => tripleDes(it, bmp(''), 1))]),
};

/** A point costs a square root modulo a prime of 521 bits. */
function withPoint(index: number): Der {
  const algorithm = sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.3.132.0.35'));
  const spki = sequence(algorithm, bitString(Uint8Array.of(2, 0, ...randomBytes(65))));
  return forge({ subject: commonName('point'), spki, key, serial: serial(index) }).der;
}

/** Authorities that have all signed each other, and identities below them: as many chains as a search bears. */
export function crossSignedMesh(authorities: number, identities: number): File {
  const keys = many(authorities, () => makeKey());
  const named = (i: number): Forged =>
    forge({ subject: commonName(`n${i}`), key: keys[i] as KeyObject, extensions: AUTHORITY });
  const all = many(authorities, named);
  const mesh = all.flatMap((by, i) =>
    all.map(({ subject, privateKey }, j) =>
      forge({ subject, by, key: privateKey, extensions: AUTHORITY, serial: serial(authorities * i + j) }),
    ),
  );
  const leaves = many(identities, i =>
    forge({ subject: commonName('own'), by: all[i % authorities] as Forged, key, serial: serial(i) }),
  );
  return oddPkcs12([[keyBag(pkcs8Of(key)), ...[...mesh, ...leaves].map(it => certificateBag(it.der))]]);
}

/** Certificates of two names, each with a key of its own and issued by the other name: by nobody. */
export function circle(count: number): File {
  const [one, other] = [commonName('Tweedledum'), commonName('Tweedledee')];
  const signer = makeKey();
  const certificates = many(count, i => {
    const [subject, issuer] = i % 2 ? [one, other] : [other, one];
    const by = { ...own, privateKey: signer, subject: issuer };
    return forge({ subject, key: i < 100 ? (keys[i] as KeyObject) : makeKey(), by, serial: serial(i) }).der;
  });
  return oddPkcs12([keys.map(it => keyBag(pkcs8Of(it))), certificates.map(it => certificateBag(it))]);
}

const keys = many(100, () => makeKey());
