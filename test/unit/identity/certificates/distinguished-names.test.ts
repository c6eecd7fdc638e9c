import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { element, sequence, Tag } from '../../../../src/enroll/der.js';
import {
  comparableName,
  comparableText,
  issuerName,
} from '../../../../src/identity/certificates/distinguished-names.js';
import { evaluateTrust } from '../../../../src/index.js';
import { engineModule } from '../../../support/engine.js';
import {
  AUTHORITY,
  attribute,
  COMMON_NAME,
  commonName,
  forge,
  makeKey,
  name,
  ORGANIZATION_NAME,
  StringTag,
} from '../../../support/forged-certificates.js';
import { namePairs } from '../../../support/random-names.js';

const folder = mkdtempSync(join(tmpdir(), 'mtls-names-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { utf8, printable, teletex, ia5, bmp, universal, numeric } = StringTag;

describe('names are equal', () => {
  const plain = commonName('Example CA');
  it.each([
    [
      'whatever their type',
      [printable, teletex, ia5, bmp, universal].map(tag => commonName('Example CA', tag)),
    ],
    ['whatever the case of ASCII letters', [commonName('EXAMPLE ca')]],
    ['whatever spaces are at the ends', [commonName('  Example CA\t')]],
    ['whatever spaces are between', [commonName('Example \t\v  CA')]],
  ])('%s', (_, others) => {
    for (const other of others) expect(comparableName(other)).toBe(comparableName(plain));
  });

  it('in Latin-1 and in Unicode', () => {
    expect(comparableName(commonName('Zürich', teletex))).toBe(comparableName(commonName('Zürich')));
    expect(comparableName(commonName('Zürich', bmp))).toBe(comparableName(commonName('Zürich')));
    expect(comparableName(commonName('漢😀', universal))).toBe(comparableName(commonName('漢😀')));
  });

  it('whatever the order within an RDN', () => {
    const attributes = [attribute(COMMON_NAME, 'a'), attribute(ORGANIZATION_NAME, 'b')];
    const encoded = attributes.map(it => name(it).slice(4));
    const reversed = sequence(element(Tag.set, ...encoded.toReversed()));
    expect(comparableName(reversed)).toBe(comparableName(name(attributes)));
    expect(comparableName(name(...attributes))).not.toBe(comparableName(name(attributes)));
  });

  it('with values that are empty, or nothing but spaces', () => {
    expect(comparableName(commonName('', printable))).toBe(comparableName(commonName(' \t ')));
    expect(comparableName(commonName(''))).not.toBe(comparableName(name()));
  });
});

it.each([
  ['another letter', commonName('Example CB')],
  ['no space', commonName('ExampleCA')],
  ['a no-break space', commonName('Example\u00a0CA')],
  ['another type of attribute', name(attribute(ORGANIZATION_NAME, 'Example CA'))],
  ['one RDN more', name(attribute(COMMON_NAME, 'Example CA'), attribute(COMMON_NAME, 'Example CA'))],
  ['a NumericString, which OpenSSL compares as it is', commonName('Example CA', numeric)],
])('names differ by %s', (_, other) => {
  expect(comparableName(other)).not.toBe(comparableName(commonName('Example CA')));
});

it('letters beyond ASCII keep their case', () => {
  expect(comparableName(commonName('É'))).not.toBe(comparableName(commonName('é')));
});

it('what is malformed is equal to itself alone', () => {
  const broken = [
    name({ type: COMMON_NAME, tag: utf8, value: Uint8Array.of(0xc3) }),
    name({ type: COMMON_NAME, tag: bmp, value: Uint8Array.of(0xd8, 0, 0) }),
    name({ type: COMMON_NAME, tag: universal, value: Uint8Array.of(0, 0x11, 0, 0) }),
    sequence(sequence()),
    new Uint8Array([0x30, 5]),
    new Uint8Array(),
  ];
  expect(new Set(broken.map(comparableName)).size).toBe(broken.length);
});

it('the issuer of a certificate', () => {
  const root = forge({ subject: commonName('Root') });
  expect(issuerName(forge({ subject: commonName('Leaf'), by: root }).der)).toEqual(commonName('Root'));
  expect(issuerName(new Uint8Array([0x30, 3, 2, 1, 0]))).toBeUndefined();
});

it('the page and the engine agree with openssl verify about 300 random pairs', {
  timeout: 120_000,
}, async () => {
  const [rootKey, leafKey] = [makeKey(), makeKey()];
  const pairs = namePairs(300).map(({ one, other }, at) => {
    const by = forge({ subject: Uint8Array.from(one), key: rootKey, extensions: AUTHORITY });
    const leaf = forge({ subject: commonName('Leaf'), issuer: Uint8Array.from(other), by, key: leafKey });
    return { one, other, by, leaf, files: [file(`${at}.root`, by.cert), file(`${at}.leaf`, leaf.cert)] };
  });
  let equal = 0;
  for (const { one, other, by, leaf, files } of pairs) {
    const isEqual = comparableName(one) === comparableName(other);
    const both = `${comparableName(one)} and ${comparableName(other)}`;
    expect(await verifies(files), both).toBe(isEqual);
    const { trusted } = await evaluateTrust(leaf.der, { anchors: by.der, engine: engineModule() });
    expect(trusted, both).toBe(isEqual);
    if (isEqual) equal++;
  }
  // Else the pairs would show little.
  expect(equal).toBeGreaterThan(75);
  expect(equal).toBeLessThan(225);
});

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function verifies([root = '', leaf = '']: string[]): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)('openssl', ['verify', '-CAfile', root, leaf]);
    return stdout.includes(': OK');
  } catch {
    return false;
  }
}

describe('texts of names', () => {
  it.each([
    ['CN=Ada,O=Example', 'cn = ada , o=EXAMPLE'],
    ['CN=Ada+UID=1,O=x', 'UID=1+CN=Ada,O=x'],
    ['CN=\\ Ada  Lovelace\\ ', 'CN=Ada Lovelace'],
    ['CN=a\\,b\\+c\\=d', 'CN=a\\2Cb\\2bc=d'],
    ['CN=Zürich', 'CN=Z\\C3\\BCrich'],
    ['CN=a\\\\2c', 'CN=A\\\\2C'],
    ['', ' '],
  ])('%s is the same as %s', (one, other) => {
    expect(comparableText(one)).toBe(comparableText(other));
  });

  it.each([
    ['CN=Ada,O=Example', 'O=Example,CN=Ada'],
    ['CN=a,CN=b', 'CN=a\\,CN=b'],
    ['CN=a+CN=b', 'CN=a\\+CN=b'],
    ['CN=a', 'SN=a'],
    ['CN=Ä', 'CN=ä'],
    ['CN=a\\\\2c', 'CN=a\\2c'],
  ])('%s differs from %s', (one, other) => {
    expect(comparableText(one)).not.toBe(comparableText(other));
  });
});
