import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Expectation, ProducedFile } from './types.js';

const FOLDER = fileURLToPath(new URL('found/', import.meta.url));

/** Files from the field, as they were found. */
export function foundProduces(): ProducedFile[] {
  const file = (name: string, expected: Expectation, { password = 'geheim', keyPassword = '' } = {}) => ({
    ...{ producer: 'found', name, password, expected, core: true },
    bytes: new Uint8Array(readFileSync(`${FOLDER}${name}.p12`)),
    ...(keyPassword !== '' && { keyPassword }),
  });
  const named = (commonName: string, chain: number) => ({ identities: [{ commonName, chain }] });
  const java = 'java-key-password';
  return [
    file('rsa-cert-without-null', named('field user', 2)),
    file('san-othername-untagged', named('field user', 2)),
    file('openssl3-latin1-terminal', named('field', 1), { password: 'Zürich-ñ' }),
    file(java, named('client', 2), { keyPassword: 'otherpass' }),
    file(java, { code: 'ERR_P12_KEY_PASSWORD' }),
    file(java, { code: 'ERR_P12_KEY_PASSWORD' }, { keyPassword: 'wrong' }),
  ];
}
