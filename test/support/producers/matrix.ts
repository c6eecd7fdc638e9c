import type { OpensslFiles } from '../openssl-files.js';
import { badInputs } from './bad-inputs.js';
import { byHandProduces } from './by-hand.js';
import { fieldsProduce, readingsProduce } from './by-hand-fields.js';
import { forgeProduces } from './forge.js';
import { foundProduces } from './found.js';
import { gnutlsProduces } from './gnutls.js';
import { keytoolProduces } from './keytool.js';
import { nssProduces } from './nss.js';
import { opensslProduces } from './openssl.js';
import { bouncyCastleProduces, goProduces, pythonProduces } from './programs.js';
import type { ProducedFile } from './types.js';

type Producer = (files: OpensslFiles) => ProducedFile[];

/** Programs that write PKCS#12 files, all of them run here and now. */
export const producers: Record<string, Producer> = {
  OpenSSL: opensslProduces,
  NSS: nssProduces,
  GnuTLS: gnutlsProduces,
  keytool: keytoolProduces,
  'node-forge': forgeProduces,
  'go-pkcs12': goProduces,
  'Python cryptography': pythonProduces,
  'Bouncy Castle': bouncyCastleProduces,
  'by hand': byHandProduces,
  'malformed fields': fieldsProduce,
  readings: readingsProduce,
  found: foundProduces,
  'bad inputs': badInputs,
};
