// Certificates with fields that are malformed and that nothing is judged by where a certificate is only shown.
import { type Der, element, objectIdentifier, sequence, setOf, Tag, text } from '../../src/enroll/der.js';
import {
  COMMON_NAME,
  commonName,
  extension,
  type ForgedOptions,
  keyUsage,
  name,
  StringTag,
  utcTime,
} from './forged-certificates.js';

const UPN = objectIdentifier('1.3.6.1.4.1.311.20.2.3');
const bytes = (...octets: number[]) => Uint8Array.from(octets);
const octets = (...content: number[]) => element(Tag.octetString, bytes(...content));
const altNames = (...names: Der[]) => extension('2.5.29.17', sequence(...names));
const withTimes = (from: Der, to: Der): Partial<ForgedOptions> => ({ validity: [from, to] });
const cn = (tag: number, ...value: number[]) => name({ type: COMMON_NAME, tag, value: bytes(...value) });
const subject = (...rdns: Der[]) =>
  sequence(...rdns, setOf([sequence(objectIdentifier('2.5.4.3'), text(Tag.utf8String, 'odd'))]));

export interface OddField {
  title: string;
  options: Partial<ForgedOptions>;
  /** Whether a time cannot be read: nothing can be trusted then. */
  timeless?: boolean;
}

/** Each with the kind of oddness that it stands for. */
export const oddFields: OddField[] = [
  {
    title: 'an otherName without a tag',
    options: { extensions: [altNames(element(0xa0, UPN, text(Tag.utf8String, 'ada@x')))] },
  },
  { title: 'an otherName of nothing', options: { extensions: [altNames(element(0xa0))] } },
  {
    title: 'a GeneralName of an unknown kind',
    options: { extensions: [altNames(element(0xbe, octets(1)), text(0x82, 'a.b'))] },
  },
  {
    title: 'a GeneralName with a long tag',
    options: { extensions: [altNames(bytes(0x9f, 0x21, 0), text(0x82, 'a.b'))] },
  },
  { title: 'a directoryName that is none', options: { extensions: [altNames(element(0xa4, octets(1)))] } },
  { title: 'a registeredID of nothing', options: { extensions: [altNames(element(0x88))] } },
  {
    title: 'an address of five octets',
    options: { extensions: [altNames(element(0x87, bytes(1, 2, 3, 4, 5)))] },
  },
  {
    title: 'a DNS name that is not ASCII',
    options: { extensions: [altNames(element(0x82, bytes(0xfc, 0x2e, 0x61)))] },
  },
  {
    title: 'alternative names that are cut short',
    options: { extensions: [extension('2.5.29.17', bytes(0x30, 9, 0x82))] },
  },
  {
    title: 'alternative names of another type',
    options: { extensions: [extension('2.5.29.17', octets(1, 2))] },
  },
  { title: 'alternative names of nothing', options: { extensions: [extension('2.5.29.17', bytes())] } },
  ...[
    '2.5.29.15',
    '2.5.29.37',
    '2.5.29.19',
    '2.5.29.35',
    '2.5.29.14',
    '2.5.29.32',
    '2.5.29.31',
    '1.3.6.1.5.5.7.1.1',
    '1.3.6.1.5.5.7.1.24',
  ].map(oid => ({
    title: `the extension ${oid} with something else in it`,
    options: { extensions: [extension(oid, octets(0xff, 0xff)), altNames(text(0x82, 'a.b'))] },
  })),
  {
    title: 'an extension with something behind its value',
    options: { extensions: [extension('2.5.29.15', bytes(3, 2, 7, 0x80, 0, 0))] },
  },
  {
    title: 'an extension twice',
    options: { extensions: [keyUsage(0), keyUsage(0), altNames(text(0x82, 'a')), altNames(text(0x82, 'b'))] },
  },
  { title: 'an extension that is none', options: { extensions: [octets(1), keyUsage(0)] } },
  { title: 'extensions of nothing', options: { more: [element(0xa3)] } },
  {
    title: 'something behind the extensions',
    options: { extensions: [keyUsage(0)], more: [element(0xa7, octets(1))] },
  },
  { title: 'an RDN of nothing', options: { subject: subject(setOf([])) } },
  { title: 'an RDN that is no set', options: { subject: subject(octets(1)) } },
  {
    title: 'an attribute without a value',
    options: { subject: subject(setOf([sequence(objectIdentifier('2.5.4.10'))])) },
  },
  {
    title: 'an attribute whose type is no object identifier',
    options: { subject: subject(setOf([sequence(octets(1), octets(2))])) },
  },
  {
    title: 'an attribute with a value of no string type',
    options: { subject: subject(setOf([sequence(objectIdentifier('2.5.4.10'), octets(1))])) },
  },
  {
    title: 'an attribute with an enormous object identifier',
    options: {
      subject: subject(setOf([sequence(element(6, bytes(0x2a, ...Array(40).fill(0xff), 1)), octets(1))])),
    },
  },
  { title: 'an empty subject', options: { subject: sequence() } },
  { title: 'a BMPString of odd length', options: { subject: cn(StringTag.bmp, 0, 0x6f, 0) } },
  {
    title: 'a UniversalString of no characters',
    options: { subject: cn(StringTag.universal, 0xff, 0xff, 0xff, 0xff, 1) },
  },
  { title: 'a UTF8String that is none', options: { subject: cn(StringTag.utf8, 0x6f, 0xff, 0xfe) } },
  { title: 'an IA5String with Latin-1', options: { subject: cn(StringTag.ia5, 0x6f, 0xfc) } },
  { title: 'a PrintableString with a zero', options: { subject: cn(StringTag.printable, 0x6f, 0) } },
  { title: 'a serial number of nothing', options: { serial: bytes() } },
  { title: 'a negative serial number', options: { serial: bytes(0x80, 1) } },
  { title: 'a serial number of 200 octets', options: { serial: new Uint8Array(200).fill(0x7f) } },
  {
    title: 'a month that does not exist',
    options: withTimes(text(0x17, '201301000000Z'), utcTime(30)),
    timeless: true,
  },
  {
    title: 'a day that does not exist',
    options: withTimes(text(0x17, '200230000000Z'), utcTime(30)),
    timeless: true,
  },
  {
    title: 'a time without its zone',
    options: withTimes(utcTime(-1), text(0x18, '20400101000000')),
    timeless: true,
  },
  {
    title: 'a time with an offset',
    options: withTimes(text(0x17, '2001010000+0100'), utcTime(30)),
    timeless: true,
  },
  { title: 'times of another type', options: withTimes(octets(1), octets(2)), timeless: true },
  {
    title: 'a signature algorithm that nobody knows',
    options: { algorithm: sequence(objectIdentifier('1.2.3.4')) },
  },
  {
    title: 'a signature algorithm with an enormous object identifier',
    options: { algorithm: sequence(element(6, bytes(0x2a, ...Array(40).fill(0xff), 1))) },
  },
  { title: 'a signature algorithm of nothing', options: { algorithm: sequence() } },
];

/** The name where the field itself is not the name. */
export const ODD = commonName('odd');
