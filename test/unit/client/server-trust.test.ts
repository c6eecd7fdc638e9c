import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Outcomes } from '../../../src/engine/outcomes.js';
import type { TrustOptions } from '../../../src/index.js';
import { root } from '../../support/cross-signed.js';
import {
  AUTHORITY,
  authorityKeyId,
  basicConstraints,
  commonName,
  dnsNames,
  type Forged,
  type ForgedOptions,
  forge,
  keyUsage,
  name,
  StringTag,
} from '../../support/forged-certificates.js';
import { Clients } from './support/clients.js';
import { type HttpsServer, startHttps } from './support/https-server.js';

const clients = new Clients();
const servers: HttpsServer[] = [];
afterEach(async () => {
  await clients.close();
  for (const server of servers.splice(0)) server.close();
  vi.restoreAllMocks();
});

type Version = 'TLSv1.2' | 'TLSv1.3';
const NAMES = dnsNames(['localhost']);

function own(by: Forged, changes: Partial<ForgedOptions> = {}): Forged {
  return forge({ subject: commonName('localhost'), by, extensions: [NAMES], ...changes });
}

async function status(chain: Forged[], trust: TrustOptions, maxVersion: Version): Promise<number | string> {
  const settings = { cert: chain.map(it => it.cert).join(''), key: chain[0]?.key ?? '', maxVersion };
  const server = await startHttps(settings, (_, response) => response.end());
  servers.push(server);
  const client = await clients.make('', { trust });
  return client.fetch(server.url).then(
    it => it.status,
    error => error.code,
  );
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', tls => {
  it.each<[string, Partial<ForgedOptions>]>([
    ['a serial number of 0', { serial: Uint8Array.of(0) }],
    ['a negative serial number', { serial: Uint8Array.of(0x80) }],
    ['a serial number of 21 octets', { serial: new Uint8Array(21).fill(1) }],
    ['no subject, and names that are not critical', { subject: name() }],
  ])('a server with %s is trusted by the page’s anchors, and not as a public one', async (_, changes) => {
    const anchor = root('Root');
    const chain = [own(anchor, changes)];
    expect(await status(chain, { anchors: anchor.der }, tls)).toBe(200);
    const asPublic = { anchors: 'mozilla', mozillaRoots: anchor.der };
    expect(await status(chain, asPublic, tls)).toBe('ERR_TLS_CERT_UNTRUSTED');
  });

  it('a server is trusted whose chain has its names in several encodings', async () => {
    const anchor = root('Field Root');
    const authority = forge({
      subject: commonName('Field Sub', StringTag.printable),
      issuer: commonName('FIELD  root', StringTag.bmp),
      by: anchor,
      extensions: AUTHORITY,
    });
    const chain = [own(authority, { issuer: commonName('field sub') }), authority];
    expect(await status(chain, { anchors: anchor.der }, tls)).toBe(200);
  });

  it('a server whose keyUsage lacks digitalSignature is refused, unless its key is pinned in place of anchors', async () => {
    const anchor = root('Root');
    // With an RSA key: servers do not even begin with one for ECDSA that may not sign.
    const extensions = [basicConstraints(false), keyUsage(2), NAMES];
    const chain = [own(anchor, { extensions, keyKind: 'rsa' })];
    expect(await status(chain, { anchors: anchor.der }, tls)).toBe('ERR_TLS_CERT_PURPOSE');
    const sha256 = [
      createHash('sha256')
        .update(chain[0]?.spki ?? '')
        .digest('base64'),
    ];
    expect(await status(chain, { pins: { localhost: { sha256, replacesAnchors: true } } }, tls)).toBe(200);
  });
});

describe('what a server may have verified', () => {
  /** Of each verification, whether it was new. */
  function watch(): { verified: number } {
    const seen = { verified: 0 };
    const answer = Outcomes.prototype.answer;
    vi.spyOn(Outcomes.prototype, 'answer').mockImplementation(function (this: Outcomes, question) {
      if (question.length > 32) seen.verified++;
      return answer.call(this, question);
    });
    return seen;
  }

  it('is a few signatures of many issuers with one name, once for all attempts of a handshake', async () => {
    const anchor = root('Root');
    const chain = [own(forge({ subject: commonName('Issuer'), by: anchor, extensions: AUTHORITY }))];
    for (let i = 0; i < 110; i++)
      chain.push(forge({ subject: commonName('Issuer'), extensions: AUTHORITY, keyKind: 'p384' }));
    const seen = watch();
    const evaluate = async () => ({ trust: true }) as const;
    expect(await status(chain, { anchors: anchor.der, evaluate }, 'TLSv1.3')).toBe(200);
    expect(seen.verified).toBe(16);
  });

  it('is each signature once where a hook is asked', async () => {
    const anchor = root('Root');
    const authority = forge({ subject: commonName('Issuer'), by: anchor, extensions: AUTHORITY });
    const seen = watch();
    const evaluate = async () => true;
    const chain = [own(authority, { extensions: [NAMES, authorityKeyId(Uint8Array.of(1))] }), authority];
    expect(await status(chain, { anchors: anchor.der, evaluate }, 'TLSv1.3')).toBe(200);
    // Two signatures, and webpki's confirmation.
    expect(seen.verified).toBe(3);
  });
});
