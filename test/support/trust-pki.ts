import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';

export interface IssueOptions {
  /** Of which the certificate is issued; none: it signs its own. */
  by?: KeyPair;
  subject: string;
  /** Lines of an openssl extension section. */
  extensions?: string[];
  /** Arguments of `openssl genpkey`. Default: a P-256 key. */
  key?: string[];
  /** A key that exists already. */
  keyPem?: string;
  /** Arguments of `openssl x509 -req`, such as `-sha1`. */
  args?: string[];
  /** Hexadecimal. Default: another one each time. */
  serial?: string;
  /** From and to, as openssl writes times. Default: yesterday to thirty days from now. */
  dates?: [from: string, to: string];
}

export interface CrlOptions {
  /** Issued and outdated, from now. Default: yesterday, in a week. */
  days?: [number, number];
  /** Default: true. */
  hasNumber?: boolean;
  /** Lines of an openssl extension section. */
  extensions?: string[] | undefined;
}

interface ConfigOptions {
  extensions?: string[];
  serial?: string | undefined;
  index?: string;
  hasNumber?: boolean;
  crlExtensions?: string[] | undefined;
}

const P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
export const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
export const SERVER = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth'];

/** A time as openssl takes it, days from now. */
export function daysFromNow(days: number): string {
  return `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\..*/g, '')}Z`;
}

/** The pin of a certificate's key, as RFC 7469 has it. */
export function pinOf(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}

/** Certificates of any make, revocation lists and OCSP responses, by the openssl command. */
export class TrustPki {
  readonly folder = mkdtempSync(join(tmpdir(), 'mtls-trust-'));
  #count = 0;

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  issue(options: IssueOptions): KeyPair {
    const { by, subject, extensions = [], key = P256, keyPem, args = [], dates } = options;
    const own = keyPem ?? this.run(['genpkey', ...key]).toString();
    const keyFile = this.file('key', own);
    const request = this.file('csr', this.run(['req', '-new', '-key', keyFile, '-subj', subject]));
    const config = this.file('ca.cnf', this.#config({ extensions, serial: options.serial }));
    const issuer = by
      ? ['-cert', this.file('ca', by.cert), '-keyfile', this.file('cakey', by.key)]
      : ['-selfsign', '-keyfile', keyFile];
    const [from, to] = dates ?? [daysFromNow(-1), daysFromNow(30)];
    const cert = this.run([
      ...['ca', '-batch', '-notext', '-preserveDN', '-config', config, '-in', request, ...issuer],
      ...(extensions.length > 0 ? ['-extensions', 'x'] : []),
      ...['-startdate', from, '-enddate', to, ...args],
    ]);
    return { cert: cert.toString(), key: own };
  }

  /** A revocation list, PEM. */
  crl(by: KeyPair, revoked: KeyPair[], options: CrlOptions = {}): string {
    const { days = [-1, 7], hasNumber = true, extensions } = options;
    const index = revoked.map(it => {
      const { serialNumber, validTo } = new X509Certificate(it.cert);
      const until = new Date(validTo).toISOString().replace(/^..|[-:T]|\..*/g, '');
      return `R\t${until}Z\t${daysFromNow(-1).slice(2)}\t${serialNumber}\tunknown\t/CN=x\n`;
    });
    const config = this.file(
      'crl.cnf',
      this.#config({ index: index.join(''), hasNumber, crlExtensions: extensions }),
    );
    const issuer = ['-cert', this.file('ca', by.cert), '-keyfile', this.file('cakey', by.key)];
    const dates = ['-crl_lastupdate', daysFromNow(days[0]), '-crl_nextupdate', daysFromNow(days[1])];
    return this.run(['ca', '-gencrl', '-config', config, ...issuer, ...dates]).toString();
  }

  /** An OCSP response about a certificate, DER, signed by its issuer or by `signer`. */
  ocsp(
    subject: KeyPair,
    options: {
      issuer: KeyPair;
      status: 'good' | 'revoked' | 'unknown';
      signer?: KeyPair;
      digest?: '-sha256';
      args?: string[];
    },
  ): Uint8Array<ArrayBuffer> {
    const { issuer, status, signer = issuer, digest = '-sha1', args = ['-ndays', '2'] } = options;
    const { serialNumber, validTo } = new X509Certificate(subject.cert);
    const until = new Date(validTo).toISOString().replace(/^..|[-:T]|\..*/g, '');
    const line = {
      good: `V\t${until}Z\t\t${serialNumber}\tunknown\t/CN=x\n`,
      revoked: `R\t${until}Z\t${daysFromNow(-1).slice(2)}\t${serialNumber}\tunknown\t/CN=x\n`,
      unknown: '',
    }[status];
    const out = this.path('ocsp');
    const [subjectFile, issuerFile] = [this.file('pem', subject.cert), this.file('pem', issuer.cert)];
    this.run([
      ...['ocsp', '-index', this.file('index', line), '-CA', issuerFile, '-issuer', issuerFile, digest],
      ...[
        '-cert',
        subjectFile,
        '-rsigner',
        this.file('pem', signer.cert),
        '-rkey',
        this.file('key', signer.key),
      ],
      ...['-respout', out, '-noverify', ...args],
    ]);
    return new Uint8Array(readFileSync(out));
  }

  file(suffix: string, content: string | Uint8Array): string {
    const path = this.path(suffix);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  path(suffix: string): string {
    return join(this.folder, `${++this.#count}.${suffix}`);
  }

  run(args: string[]): Buffer {
    return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  #config({ extensions = [], index = '', hasNumber = true, ...more }: ConfigOptions): string {
    const counted = `${(0x1000 + ++this.#count).toString(16)}\n`;
    const serial = more.serial === undefined ? counted : `${more.serial}\n`;
    const sections = extensions.join('\n').split('\n[');
    return [
      '[ca]\ndefault_ca=d\n[d]',
      `database=${this.file('index', index)}\nserial=${this.file('serial', serial)}`,
      ...(hasNumber ? [`crlnumber=${this.file('crlnumber', counted)}`] : []),
      `new_certs_dir=${this.folder}\ncrl_extensions=c`,
      'default_md=sha256\npolicy=p\nunique_subject=no',
      '[p]\ncommonName=optional\norganizationName=optional\ncountryName=optional\nemailAddress=optional',
      `[c]\n${(more.crlExtensions ?? ['authorityKeyIdentifier=keyid']).join('\n')}`,
      `[x]\n${sections.join('\n[')}`,
    ].join('\n');
  }
}
