import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type KeyKind = 'rsa' | 'rsa1024' | 'rsapss' | 'p256' | 'p384' | 'p521' | 'ed25519';

/** A certificate with its key, both PEM. */
export interface KeyPair {
  cert: string;
  key: string;
}

const keyArguments: Record<KeyKind, string[]> = {
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  rsapss: ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed25519: ['-algorithm', 'ED25519'],
};

/** A throw-away certificate authority, run by the openssl command. */
export class OpensslPki {
  readonly folder = mkdtempSync(join(tmpdir(), 'mtls-pki-'));
  readonly ca: KeyPair;
  #serial = 1;

  constructor(name = 'Test CA') {
    const key = this.#makeKey('p256');
    const cert = this.#openssl([
      'req',
      '-x509',
      '-new',
      '-key',
      this.#file(key),
      '-subj',
      `/CN=${name}`,
      '-days',
      '30',
      '-sha256',
    ]);
    this.ca = { cert, key };
  }

  /** `days` may be negative or far: [first, last] day of validity counted from today. */
  issue(options: {
    subject: string;
    kind?: KeyKind;
    altNames?: string;
    usage?: 'serverAuth' | 'clientAuth';
    days?: [first: number, last: number];
    /** PEM; default: a new one. */
    key?: string;
  }): KeyPair {
    const { subject, kind = 'p256', altNames, usage, days = [-1, 29] } = options;
    const key = options.key ?? this.#makeKey(kind);
    const request = this.#openssl(['req', '-new', '-key', this.#file(key), '-subj', subject]);
    const extensions = ['basicConstraints=CA:FALSE'];
    if (altNames) extensions.push(`subjectAltName=${altNames}`);
    if (usage) extensions.push(`extendedKeyUsage=${usage}`);
    return { cert: this.#sign(request, extensions, days), key };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** By `openssl ca`, because `openssl x509` cannot set a start date. */
  #sign(request: string, extensions: string[], days: [first: number, last: number]): string {
    const stamp = (offset: number) =>
      `${new Date(Date.now() + offset * 86_400_000).toISOString().replace(/[-:T]|\..*/g, '')}Z`;
    const serial = (++this.#serial).toString(16).padStart(4, '0');
    const config = this.#file(
      [
        '[ca]\ndefault_ca=d\n[d]',
        `database=${this.#file('')}\nserial=${this.#file(`${serial}\n`)}\nnew_certs_dir=${this.folder}`,
        'default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional',
        `[x]\n${extensions.join('\n')}`,
      ].join('\n'),
    );
    return this.#openssl([
      ...[
        'ca',
        '-batch',
        '-notext',
        '-preserveDN',
        '-config',
        config,
        '-extensions',
        'x',
        '-in',
        this.#file(request),
      ],
      ...['-cert', this.#file(this.ca.cert), '-keyfile', this.#file(this.ca.key)],
      ...['-startdate', stamp(days[0]), '-enddate', stamp(days[1])],
    ]);
  }

  #makeKey(kind: KeyKind): string {
    return this.#openssl(['genpkey', ...keyArguments[kind]]);
  }

  #file(content: string): string {
    const path = join(this.folder, `${Math.random().toString(36).slice(2)}.pem`);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  #openssl(args: string[]): string {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}

/** The DER bytes of the first PEM certificate. */
export function certificateDer(pem: string): Uint8Array {
  return new Uint8Array(new X509Certificate(pem).raw);
}
