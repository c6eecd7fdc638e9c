import { commonName, forge, makeKey } from '../forged-certificates.js';
import { ODD, oddFields } from '../odd-fields.js';
import {
  bmp,
  certificateBag,
  encrypt,
  keyBag,
  oddPkcs12,
  pbes2,
  pkcs8Of,
  shroudedKeyBag,
  tripleDes,
  widened,
} from '../odd-pkcs12.js';
import type { ProducedFile } from './types.js';

/** Certificates with fields that cannot be read, and that only people look at. */
export function fieldsProduce(): ProducedFile[] {
  const key = makeKey();
  const bag = keyBag(pkcs8Of(key));
  return oddFields
    .filter(it => !it.options.subject)
    .map(({ title, options }) => {
      const { der } = forge({ subject: ODD, key, ...options });
      const bytes = oddPkcs12([[bag, certificateBag(der)]], { mac: bmp('secret') });
      const expected = { identities: [{ commonName: 'odd', chain: 1, key }] };
      return { producer: 'fields', name: title, bytes, password: 'secret', expected, core: true };
    });
}

const utf8 = (text: string) => Buffer.from(text);
const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** Passwords in the readings of several producers, one for the MAC and another for what is encrypted. */
export function readingsProduce(): ProducedFile[] {
  const own = forge({ subject: commonName('Ada') });
  const clear = pkcs8Of(own.privateKey);
  const bag = certificateBag(own.der);
  const file = (
    name: string,
    password: string,
    [mac, key, certificate = key]: [Uint8Array, Uint8Array, Uint8Array?],
    keyPassword?: string,
  ) => {
    const parts = [[shroudedKeyBag(pbes2(clear, key))], encrypt([bag], it => pbes2(it, certificate))];
    return {
      ...{ producer: 'readings', name, password, core: true },
      ...(keyPassword !== undefined && { keyPassword }),
      bytes: oddPkcs12(parts, { mac }),
      expected: { identities: [{ commonName: 'Ada' }] },
    };
  };
  const umlaut = 'Zürich-ñ';
  const legacy = encrypt([bag], it => tripleDes(it, widened(utf8(umlaut))));
  return [
    file('Latin-1', umlaut, [bmp(umlaut), latin1(umlaut), latin1(umlaut)]),
    file('Latin-1 in a MAC of UTF-8', umlaut, [widened(utf8(umlaut)), latin1(umlaut), latin1(umlaut)]),
    file('BMPString', 'secret', [bmp('secret'), bmp('secret'), bmp('secret').slice(0, -2)]),
    file('an empty one as two zeros', '', [bmp(''), bmp(''), utf8('')]),
    file('of the key', 'secret', [bmp('secret'), utf8('other'), utf8('secret')], 'other'),
    file('of the certificates', 'secret', [bmp('secret'), utf8('secret'), utf8('other')], 'other'),
    {
      ...file('two', umlaut, [bmp(umlaut), latin1(umlaut)]),
      bytes: oddPkcs12([legacy, [shroudedKeyBag(pbes2(clear, latin1(umlaut)))]], { mac: bmp(umlaut) }),
    },
  ];
}
