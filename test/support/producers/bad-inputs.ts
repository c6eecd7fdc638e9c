import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MtlsErrorCode } from '../../../src/index.js';
import type { OpensslFiles } from '../openssl-files.js';
import type { ProducedFile } from './types.js';

const encode = (text: string) => new TextEncoder().encode(text);

/** What is no PKCS#12 file, or is damaged, or does not belong to the password, or asks for too much. */
export function badInputs(files: OpensslFiles): ProducedFile[] {
  return [...others(files), ...wrongPasswords(files), ...damaged(files), ...greedy(files)];
}

function bad(
  name: string,
  bytes: Uint8Array,
  code: MtlsErrorCode,
  { message, password = 'secret' }: { message?: RegExp; password?: string } = {},
): ProducedFile {
  const expected = { code, ...(message && { message }) };
  return { producer: 'bad inputs', name, bytes, password, expected, core: true };
}

function others(files: OpensslFiles): ProducedFile[] {
  const client = files.client('p256');
  const pem = (name: string) => files.read(name);
  const openssl = (...args: string[]) => {
    files.run([...args, '-out', 'bad.out']);
    return files.read('bad.out');
  };
  const mistaken = (name: string, bytes: Uint8Array, message: RegExp) =>
    bad(name, bytes, 'ERR_P12_MALFORMED', { message });
  const jks = (type: string) => {
    const out = join(files.folder, `${type}.jks`);
    execFileSync(
      'keytool',
      [
        ...['-genkeypair', '-alias', 'a', '-keyalg', 'EC', '-dname', 'CN=a', '-storetype', type],
        ...['-keystore', out, '-storepass', 'secret', '-keypass', 'secret'],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return new Uint8Array(readFileSync(out));
  };
  const p12 = files.export(client);
  return [
    mistaken('nothing', new Uint8Array(), /empty/),
    mistaken('a PEM certificate', pem(`${client}.pem`), /PEM file \(CERTIFICATE\)/),
    mistaken('a PEM key', pem(`${client}.key`), /PEM file \(PRIVATE KEY\)/),
    mistaken('a PEM request', pem(`${client}.csr`), /PEM file \(CERTIFICATE REQUEST\)/),
    mistaken(
      'a DER certificate',
      openssl('x509', '-in', `${client}.pem`, '-outform', 'DER'),
      /certificate .*without a key/,
    ),
    mistaken('a DER request', openssl('req', '-in', `${client}.csr`, '-outform', 'DER'), /request/),
    mistaken(
      'a DER key',
      openssl('pkcs8', '-topk8', '-nocrypt', '-in', `${client}.key`, '-outform', 'DER'),
      /private key without/,
    ),
    mistaken(
      'an encrypted DER key',
      openssl('pkcs8', '-topk8', '-in', `${client}.key`, '-outform', 'DER', '-passout', 'pass:secret'),
      /encrypted private key/,
    ),
    mistaken(
      'PKCS#7',
      openssl('crl2pkcs7', '-nocrl', '-certfile', `${client}.pem`, '-outform', 'DER'),
      /PKCS#7/,
    ),
    mistaken(
      'a traditional EC key',
      openssl('ec', '-in', `${client}.key`, '-outform', 'DER'),
      /private key without/,
    ),
    mistaken('JKS', jks('JKS'), /Java key store \(JKS\)/),
    mistaken('JCEKS', jks('JCEKS'), /Java key store \(JCEKS\)/),
    mistaken('a web page', encode('<!doctype html><title>Sign in</title>'), /web page/),
    mistaken('XML', encode('<?xml version="1.0"?><error/>'), /XML/),
    mistaken('JSON', encode('{"error":"not found"}'), /./),
    mistaken('text', encode('Dear Ada, here is your certificate.'), /./),
    mistaken('base64', encode(Buffer.from(p12).toString('base64')), /base64/),
    mistaken(
      'an OpenSSH key',
      encode(`-----BEGIN OPENSSH PRIVATE KEY-----\n${'A'.repeat(70)}\n-----END OPENSSH PRIVATE KEY-----\n`),
      /PEM file \(OPENSSH PRIVATE KEY\)/,
    ),
    mistaken('a ZIP archive', Uint8Array.from([0x50, 0x4b, 3, 4, ...new Array(40).fill(0)]), /ZIP/),
    mistaken('zeros', new Uint8Array(1000), /./),
    mistaken('0xff', new Uint8Array(1000).fill(0xff), /./),
  ];
}

function wrongPasswords(files: OpensslFiles): ProducedFile[] {
  const client = files.client('rsa2048');
  const variations: [name: string, args: string[]][] = [
    ['default', []],
    ['legacy', ['-legacy']],
    ['no MAC', ['-nomac']],
    ['legacy, no MAC', ['-legacy', '-nomac']],
    ['RC4, no MAC', ['-legacy', '-nomac', '-keypbe', 'PBE-SHA1-RC4-128', '-certpbe', 'PBE-SHA1-RC4-128']],
    ['AES-192, no MAC', ['-nomac', '-keypbe', 'AES-192-CBC', '-certpbe', 'AES-192-CBC']],
    ['only the key encrypted, no MAC', ['-nomac', '-certpbe', 'NONE']],
    ['only a MAC', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
  ];
  return variations.flatMap(([name, args]) => {
    const bytes = files.export(client, { args });
    return ['wrong', '', 'Secret'].map(password =>
      bad(`the password ${password || 'empty'} instead of another: ${name}`, bytes, 'ERR_P12_PASSWORD', {
        password,
      }),
    );
  });
}

function damaged(files: OpensslFiles): ProducedFile[] {
  const file = files.export(files.client('p256'));
  const at = (fraction: number) => Math.floor(fraction * file.length);
  return [
    ...[0.1, 0.5, 0.9].map(part => bad(`cut short at ${part}`, file.slice(0, at(part)), 'ERR_P12_MALFORMED')),
    bad('its last byte missing', file.slice(0, -1), 'ERR_P12_MALFORMED'),
    bad('its first byte missing', file.slice(1), 'ERR_P12_MALFORMED'),
    bad('of version 2', replaced(file, [2, 1, 3], [2, 1, 2]), 'ERR_P12_MALFORMED'),
    bad('a MAC without digest', withMacDigest(file, new Uint8Array()), 'ERR_P12_PASSWORD'),
  ];
}

/** Iterations that would keep a computer busy for hours, and memory that it does not have. */
function greedy(files: OpensslFiles): ProducedFile[] {
  const file = files.export(files.client('p256'), { args: ['-iter', '5', '-maciter'] });
  const counts: [string, number[]][] = [
    ['2^31 - 1', [0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]],
    ['2^32', [0x02, 0x05, 0x01, 0, 0, 0, 0]],
    ['2^63', [0x02, 0x09, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ['8,388,608', [0x02, 0x04, 0x00, 0x80, 0, 0]],
  ];
  return counts.map(([name, iterations]) =>
    bad(`${name} iterations of the MAC`, withMacIterations(file, iterations), 'ERR_P12_TOO_EXPENSIVE'),
  );
}

function replaced(file: Uint8Array, from: number[], to: number[]): Uint8Array {
  const start = Buffer.from(file).indexOf(Buffer.from(from));
  return Buffer.concat([file.subarray(0, start), Uint8Array.from(to), file.subarray(start + from.length)]);
}

/** The file ends with MacData: digest, salt, iterations. Lengths are written anew, in long form. */
function withMacIterations(file: Uint8Array, iterations: number[]): Uint8Array {
  const { before, parts } = macOf(file);
  return assembled(before, [parts[0], parts[1], Uint8Array.from(iterations)]);
}

function withMacDigest(file: Uint8Array, digest: Uint8Array): Uint8Array {
  const { before, parts } = macOf(file);
  const [algorithm] = children(parts[0]);
  return assembled(before, [element(0x30, [algorithm, element(4, [digest])]), parts[1], parts[2]]);
}

function macOf(file: Uint8Array): { before: Uint8Array[]; parts: Uint8Array[] } {
  const [version, content, mac] = children(file);
  return { before: [version, content] as Uint8Array[], parts: children(mac) };
}

function assembled(before: Uint8Array[], mac: (Uint8Array | undefined)[]): Uint8Array {
  return element(0x30, [...before, element(0x30, mac)]);
}

function element(tag: number, parts: (Uint8Array | undefined)[]): Uint8Array {
  const content = Buffer.concat(parts.map(part => part ?? new Uint8Array()));
  return Buffer.concat([Uint8Array.from([tag, 0x82, content.length >> 8, content.length & 0xff]), content]);
}

/** The elements inside a DER element. */
function children(whole: Uint8Array = new Uint8Array()): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = headerBytes(whole, 0); at < whole.length; ) {
    const length = headerBytes(whole, at) + contentBytes(whole, at);
    found.push(whole.subarray(at, at + length));
    at += length;
  }
  return found;
}

const headerBytes = (bytes: Uint8Array, at: number) =>
  2 + ((bytes[at + 1] ?? 0) < 0x80 ? 0 : (bytes[at + 1] ?? 0) & 0x7f);

function contentBytes(bytes: Uint8Array, at: number): number {
  const size = headerBytes(bytes, at) - 2;
  if (size === 0) return bytes[at + 1] ?? 0;
  return bytes.subarray(at + 2, at + 2 + size).reduce((sum, octet) => sum * 256 + octet, 0);
}
