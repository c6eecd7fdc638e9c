import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs openssl with files in a folder of its own. */
export class OpensslFolder {
  readonly folder = mkdtempSync(join(tmpdir(), 'mtls-enroll-'));

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  run(...args: string[]): Buffer {
    return execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** What openssl reads in a request, after it has verified the request's signature. */
  readRequest(der: Uint8Array, ...args: string[]): string {
    const path = this.write('request.der', der);
    return this.run(
      ...[
        'req',
        '-verify',
        '-inform',
        'DER',
        '-in',
        path,
        '-noout',
        '-text',
        '-nameopt',
        'RFC2253,show_type,-esc_msb,utf8',
      ],
      ...args,
    ).toString();
  }

  /** Whether openssl finds the request's own signature to be right; it says so on standard error. */
  verifyRequest(der: Uint8Array): void {
    this.run('req', '-verify', '-inform', 'DER', '-in', this.write('request.der', der), '-noout');
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A root, an intermediate below it, and what they issue for requests. */
export class RequestSigner extends OpensslFolder {
  readonly root: string;
  readonly intermediate: string;
  #serial = 100;

  constructor() {
    super();
    this.root = this.#selfSigned('root', '/CN=Enrolment Root');
    this.run(...newKey('intermediate'));
    this.run(
      'req',
      '-new',
      '-key',
      'intermediate.key',
      '-subj',
      '/CN=Enrolment CA',
      '-out',
      'intermediate.csr',
    );
    this.write('ca.ext', 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n');
    this.intermediate = this.#sign('intermediate.csr', 'root', ['-extfile', 'ca.ext', '-days', '20']);
    this.write('intermediate.pem', this.intermediate);
  }

  /** The certificate for a request, PEM; openssl refuses a request whose signature is wrong. */
  issue(request: Uint8Array, { days = 10 }: { days?: number } = {}): string {
    this.write('issued.der', request);
    this.run('req', '-inform', 'DER', '-in', 'issued.der', '-out', 'issued.csr');
    this.write('client.ext', 'extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n');
    return this.#sign('issued.csr', 'intermediate', [
      ...['-extfile', 'client.ext', '-copy_extensions', 'copy', '-days', String(days)],
    ]);
  }

  #selfSigned(name: string, subject: string): string {
    this.run(...newKey(name));
    const args = ['-subj', subject, '-days', '30', '-out', `${name}.pem`];
    this.run('req', '-x509', '-new', '-key', `${name}.key`, ...args);
    return this.run('x509', '-in', `${name}.pem`).toString();
  }

  #sign(request: string, issuer: string, args: string[]): string {
    const by = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-set_serial', String(++this.#serial)];
    return this.run('x509', '-req', '-in', request, ...by, ...args).toString();
  }
}

function newKey(name: string): string[] {
  return ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`];
}
