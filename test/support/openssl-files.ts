import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Key =
  | 'rsa1024'
  | 'rsa2048'
  | 'rsa3072'
  | 'rsa4096'
  | 'rsa8192'
  | 'rsapss'
  | 'p256'
  | 'p384'
  | 'p521'
  | 'ed25519'
  | 'ed448'
  | 'secp256k1'
  | 'brainpool'
  | 'dsa';

const keyArguments: Record<Exclude<Key, 'dsa'>, string[]> = {
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  rsa2048: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa3072: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  rsa4096: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
  rsa8192: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:8192'],
  rsapss: ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p256: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed25519: ['-algorithm', 'ED25519'],
  ed448: ['-algorithm', 'ED448'],
  brainpool: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1'],
  secp256k1: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
};

/** A root, an intermediate and client certificates under it, all by the openssl command, in a folder of their own. */
export class OpensslFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'mtls-p12-'));
  #made = new Set<string>();

  constructor() {
    this.run([
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'root.key',
      '-out',
      'root.pem',
      '-subj',
      '/CN=Root',
      '-days',
      '30',
    ]);
    this.issue('intermediate', {
      key: 'p256',
      issuer: 'root',
      subject: '/CN=Intermediate',
      extensions: 'basicConstraints=critical,CA:TRUE',
    });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  run(args: string[], input?: string): string {
    return execFileSync('openssl', args, {
      cwd: this.folder,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input !== undefined && { input }),
    });
  }

  read(name: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(readFileSync(join(this.folder, name)));
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.folder, name), content);
  }

  #makeKey(key: Exclude<Key, 'dsa'>, file: string): void {
    const make = () => this.run(['genpkey', ...keyArguments[key], '-out', file]);
    make();
    // WebKitGTK refuses one Ed25519 key in 256 (docs/browsers.md): tests are not to depend on chance.
    while (key === 'ed25519' && seedBeginsWithZero(this.read(file))) make();
  }

  /** Makes `<name>.key` and `<name>.pem`. */
  issue(
    name: string,
    options: {
      key: Key;
      issuer?: string;
      subject?: string;
      extensions?: string;
      days?: number;
      existingKey?: string;
    },
  ): string {
    const {
      key,
      issuer = 'intermediate',
      subject = `/O=Engines/CN=${name}`,
      extensions,
      days = 20,
      existingKey,
    } = options;
    if (existingKey) this.write(`${name}.key`, this.read(`${existingKey}.key`));
    else if (key === 'dsa') {
      this.run(['dsaparam', '-out', 'dsa.params', '1024']);
      this.run(['genpkey', '-paramfile', 'dsa.params', '-out', `${name}.key`]);
    } else this.#makeKey(key, `${name}.key`);
    this.run(['req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`, '-utf8']);
    this.write(`${name}.ext`, extensions ?? 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n');
    this.run([
      ...[
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${issuer}.pem`,
        '-CAkey',
        `${issuer}.key`,
        '-CAcreateserial',
      ],
      ...['-days', String(days), '-extfile', `${name}.ext`, '-out', `${name}.pem`],
    ]);
    return name;
  }

  /** A client certificate of this kind, made once. */
  client(key: Key): string {
    const name = `client-${key}`;
    if (!this.#made.has(name)) this.issue(name, { key });
    this.#made.add(name);
    return name;
  }

  /** `openssl pkcs12 -export` of a client with more arguments. */
  export(
    name: string,
    options: { password?: string; chain?: string[]; args?: string[] } = {},
  ): Uint8Array<ArrayBuffer> {
    const { password = 'secret', chain = ['intermediate', 'root'], args = [] } = options;
    this.write('chain.pem', chain.map(it => Buffer.from(this.read(`${it}.pem`)).toString()).join(''));
    const certificates = chain.length > 0 ? ['-certfile', 'chain.pem'] : [];
    this.run(
      [
        ...['pkcs12', '-export', '-inkey', `${name}.key`, '-in', `${name}.pem`, ...certificates],
        ...['-passout', 'stdin', '-out', 'out.p12', ...args],
      ],
      `${password}\n`,
    );
    return this.read('out.p12');
  }
}

/** Of an Ed25519 key in PEM (RFC 8410 section 7): 16 octets of DER, then the seed. */
function seedBeginsWithZero(pem: Uint8Array): boolean {
  const text = new TextDecoder().decode(pem).replace(/-----.*?-----/g, '');
  return Buffer.from(text, 'base64')[16] === 0;
}
