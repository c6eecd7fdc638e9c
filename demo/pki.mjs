// The demo's throw-away PKI: a root and an issuing CA, server certificates, and client identities as .p12 files.
// Made with npm packages alone, so that `npm start` needs no openssl.
import { Buffer } from 'node:buffer';
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as asn1js from 'asn1js';
import forge from 'node-forge';
import * as pkijs from 'pkijs';

const DAY_MS = 24 * 60 * 60 * 1000;
const LIFETIME_DAYS = 30;
const ITERATIONS = 10_000;
const PASSWORD = 'demo';
/** Raise it when the files change, so that folders made by an older version are made again. */
const FORMAT = '3';

const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  extensionRequest: '1.2.840.113549.1.9.14',
  encryptedData: '1.2.840.113549.1.7.6',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
};

const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 };

/** The client files, in the order in which the page offers them. */
const SAMPLES = [
  {
    file: 'ada-ecdsa.p12',
    title: 'ECDSA P-256',
    about: 'AES-256, PBKDF2-SHA-256',
    commonName: 'Ada Lovelace',
    key: 'ec',
    form: 'modern',
  },
  {
    file: 'grace-rsa.p12',
    title: 'RSA-2048',
    about: 'AES-256, PBKDF2-SHA-256',
    commonName: 'Grace Hopper',
    key: 'rsa',
    form: 'modern',
  },
  {
    file: 'alan-rsa-legacy.p12',
    title: 'RSA-2048, legacy',
    about: '3DES, SHA-1',
    commonName: 'Alan Turing',
    key: 'rsa',
    form: 'legacy',
  },
];

/**
 * Gives the PKI in `directory`, making it first when there is none or when it has less than a day left.
 * @param {string} directory
 */
export async function ensurePki(directory) {
  const existing = readPki(directory);
  if (existing) return { ...existing, made: false };
  await makePki(directory);
  const made = readPki(directory);
  if (!made) throw new Error(`the certificates in ${directory} could not be read back`);
  return { ...made, made: true };
}

function readPki(directory) {
  try {
    const read = name => readFileSync(join(directory, name));
    if (read('format').toString() !== FORMAT) return undefined;
    const root = read('root.pem').toString();
    const notAfter = new Date(new X509Certificate(root).validTo);
    if (notAfter.getTime() - Date.now() < DAY_MS) return undefined;
    const credentials = name => ({
      cert: read(`${name}.pem`).toString(),
      key: read(`${name}.key`).toString(),
    });
    return {
      directory,
      password: PASSWORD,
      notAfter,
      caPem: root,
      enrolment: { ...credentials('enrolment'), root },
      servers: {
        good: credentials('server'),
        wrongName: credentials('server-wrong-name'),
        expired: credentials('server-expired'),
        untrusted: credentials('server-untrusted'),
      },
      samples: SAMPLES.map(({ file, title, about }) => ({ file, title, about, bytes: read(file) })),
    };
  } catch {
    return undefined;
  }
}

async function makePki(directory) {
  mkdirSync(directory, { recursive: true });
  // The `mode` of mkdir has no effect on a folder that is there already.
  chmodSync(directory, 0o700);
  for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
  const write = (name, content) => writeFileSync(join(directory, name), content, { mode: 0o600 });

  const root = makeCa('Demo root CA');
  const issuing = makeCa('Demo issuing CA', root);
  const stranger = makeCa('Root CA that nobody trusts');
  write('root.pem', root.pem);
  // What identities are enrolled at: its key is on disk, because the authority runs as a program of its own.
  const enrolment = makeCa('Demo enrolment CA', root);
  write('enrolment.pem', enrolment.pem);
  write('enrolment.key', enrolment.key.privatePem);

  const names = ['localhost', '127.0.0.1', '::1'];
  const servers = {
    server: { issuer: issuing, names },
    'server-wrong-name': { issuer: issuing, names: ['elsewhere.example'] },
    'server-expired': { issuer: issuing, names, firstDay: -60, lastDay: -30 },
    'server-untrusted': { issuer: stranger, names },
  };
  for (const [name, { issuer, ...options }] of Object.entries(servers)) {
    const leaf = makeLeaf('Demo server', issuer, { ...options, purpose: OID.serverAuth });
    write(`${name}.pem`, leaf.pem + (issuer === issuing ? issuing.pem : ''));
    write(`${name}.key`, leaf.key.privatePem);
  }

  for (const { file, commonName, key, form } of SAMPLES) {
    const leaf = makeLeaf(commonName, issuing, { keyType: key, purpose: OID.clientAuth, names: [] });
    const content = { leaf, issuers: [issuing, root], label: commonName };
    write(file, form === 'modern' ? await modernPkcs12(content) : legacyPkcs12(content));
  }
  write('format', FORMAT);
}

// --- enrolment ---

/** A client certificate for a PKCS#10 request (RFC 2986), signed by the enrolment CA: PEM, with the CA's own. */
export function issueForRequest(requestPem, { cert, key }, { days = 1 } = {}) {
  const request = pkijs.CertificationRequest.fromBER(arrayBuffer(derOf(requestPem)));
  return issueClient(
    {
      subject: request.subject,
      spki: Buffer.from(request.subjectPublicKeyInfo.toSchema().toBER()),
      altNames: requestedAltNames(request),
      days,
    },
    { cert, key },
  );
}

/** Another certificate for the same key and names. */
export function reissue(der, { cert, key }, { days = 1 } = {}) {
  const old = pkijs.Certificate.fromBER(arrayBuffer(der));
  const altNames = old.extensions?.find(it => it.extnID === OID.subjectAltName);
  const spki = Buffer.from(old.subjectPublicKeyInfo.toSchema().toBER());
  return issueClient({ subject: old.subject, spki, altNames, days }, { cert, key });
}

function issueClient({ subject, spki, altNames, days }, { cert, key }) {
  const certificate = pkijs.Certificate.fromBER(arrayBuffer(derOf(cert)));
  const subjectKeyId = certificate.extensions.find(it => it.extnID === OID.subjectKeyIdentifier);
  const issuer = {
    certificate,
    key: { privatePem: key },
    keyId: subjectKeyId.parsedValue.valueBlock.valueHex,
  };
  const extensions = [
    extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: false }).toSchema(), { critical: true }),
    keyUsage(KEY_USAGE.digitalSignature),
    extension(OID.extKeyUsage, new pkijs.ExtKeyUsage({ keyPurposes: [OID.clientAuth] }).toSchema()),
    ...(altNames ? [altNames] : []),
  ];
  return issue({ subject, key: { spki }, issuer, extensions, lastDay: days }).pem + cert;
}

function requestedAltNames(request) {
  const asked = request.attributes?.find(({ type }) => type === OID.extensionRequest);
  const schema = asked?.values[0];
  if (!schema) return undefined;
  const { extensions } = new pkijs.Extensions({ schema });
  return extensions.find(it => it.extnID === OID.subjectAltName);
}

/** The bytes of the first PEM block. */
function derOf(text) {
  const [, body] = /-----BEGIN [^-]+-----([^-]+)-----END/.exec(text) ?? [];
  return Buffer.from(body ?? '', 'base64');
}

// --- certificates (RFC 5280) ---

function makeCa(commonName, issuer) {
  // RSA, as node-forge, which writes the legacy file, reads no ECDSA certificates.
  const key = makeKey('rsa');
  return issue({
    commonName,
    key,
    issuer,
    extensions: [
      extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: true }).toSchema(), {
        critical: true,
      }),
      keyUsage(KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign),
    ],
  });
}

function makeLeaf(commonName, issuer, { keyType = 'ec', purpose, names, firstDay, lastDay }) {
  const key = makeKey(keyType);
  const altNames = names.map(name =>
    isIP(name)
      ? new pkijs.GeneralName({ type: 7, value: new asn1js.OctetString({ valueHex: addressBytes(name) }) })
      : new pkijs.GeneralName({ type: 2, value: name }),
  );
  const extensions = [
    extension(OID.basicConstraints, new pkijs.BasicConstraints({ cA: false }).toSchema(), { critical: true }),
    keyUsage(KEY_USAGE.digitalSignature),
    extension(OID.extKeyUsage, new pkijs.ExtKeyUsage({ keyPurposes: [purpose] }).toSchema()),
  ];
  if (altNames.length > 0) {
    extensions.push(extension(OID.subjectAltName, new pkijs.GeneralNames({ names: altNames }).toSchema()));
  }
  return issue({ commonName, key, issuer, extensions, firstDay, lastDay });
}

function issue({ commonName, subject, key, issuer, extensions, firstDay = -1, lastDay = LIFETIME_DAYS }) {
  const certificate = new pkijs.Certificate();
  certificate.version = 2;
  certificate.serialNumber = new asn1js.Integer({ valueHex: serialNumber() });
  certificate.subject = subject ?? distinguishedName(commonName);
  certificate.issuer = issuer?.certificate.subject ?? certificate.subject;
  certificate.notBefore.value = new Date(Date.now() + firstDay * DAY_MS);
  certificate.notAfter.value = new Date(Date.now() + lastDay * DAY_MS);
  certificate.subjectPublicKeyInfo = pkijs.PublicKeyInfo.fromBER(arrayBuffer(key.spki));
  const keyId = arrayBuffer(createHash('sha1').update(key.spki).digest());
  const issuerKeyId = issuer?.keyId ?? keyId;
  certificate.extensions = [
    ...extensions,
    extension(OID.subjectKeyIdentifier, new asn1js.OctetString({ valueHex: keyId })),
    extension(
      OID.authorityKeyIdentifier,
      new pkijs.AuthorityKeyIdentifier({
        keyIdentifier: new asn1js.OctetString({ valueHex: issuerKeyId }),
      }).toSchema(),
    ),
  ];
  signWith((issuer?.key ?? key).privatePem, certificate);
  const der = Buffer.from(certificate.toSchema(true).toBER());
  // Read back, as PKI.js puts only a certificate that it has read into a .p12.
  return {
    certificate: pkijs.Certificate.fromBER(arrayBuffer(der)),
    key,
    keyId,
    pem: pem('CERTIFICATE', der),
  };
}

/** Every issuer here has an RSA key. PKI.js would leave out the NULL parameters that RFC 4055 asks for. */
function signWith(privatePem, certificate) {
  const algorithm = new pkijs.AlgorithmIdentifier({
    algorithmId: OID.sha256WithRsa,
    algorithmParams: new asn1js.Null(),
  });
  certificate.signature = algorithm;
  certificate.signatureAlgorithm = algorithm;
  const signature = sign('sha256', Buffer.from(certificate.encodeTBS().toBER()), privatePem);
  certificate.signatureValue = new asn1js.BitString({ valueHex: arrayBuffer(signature) });
}

/** From DER, because a name that PKI.js builds itself has one set of all attributes instead of one for each. */
function distinguishedName(commonName) {
  const part = (type, value) =>
    new asn1js.Set({
      value: [
        new asn1js.Sequence({
          value: [new asn1js.ObjectIdentifier({ value: type }), new asn1js.Utf8String({ value })],
        }),
      ],
    });
  const name = new asn1js.Sequence({
    value: [part(OID.organization, 'browser-mtls demo'), part(OID.commonName, commonName)],
  });
  return pkijs.RelativeDistinguishedNames.fromBER(name.toBER());
}

function extension(extnID, schema, { critical = false } = {}) {
  return new pkijs.Extension({ extnID, critical, extnValue: schema.toBER() });
}

function keyUsage(bits) {
  const unusedBits = 31 - Math.clz32(bits & -bits);
  const valueHex = arrayBuffer(Buffer.from([bits]));
  return extension(OID.keyUsage, new asn1js.BitString({ valueHex, unusedBits }), { critical: true });
}

function serialNumber() {
  const bytes = randomBytes(16);
  // Positive and without a leading zero byte, as DER wants it.
  bytes[0] = (bytes[0] & 0x7f) | 0x40;
  return arrayBuffer(bytes);
}

function addressBytes(address) {
  if (address === '::1') return arrayBuffer(Buffer.from([...new Uint8Array(15), 1]));
  return arrayBuffer(Buffer.from(address.split('.').map(Number)));
}

function makeKey(type) {
  const pair =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  return { pkcs8, spki, privatePem: pem('PRIVATE KEY', pkcs8) };
}

// --- PKCS#12 (RFC 7292) ---

/** PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256, HMAC-SHA-256 over all: what OpenSSL 3 writes by default. */
async function modernPkcs12({ leaf, issuers, label }) {
  const password = arrayBuffer(Buffer.from(PASSWORD));
  const encryption = {
    password,
    contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256 },
    hmacHashAlgorithm: 'SHA-256',
    iterationCount: ITERATIONS,
  };
  const attributes = () => [
    new pkijs.Attribute({ type: OID.friendlyName, values: [new asn1js.BmpString({ value: label })] }),
    new pkijs.Attribute({ type: OID.localKeyId, values: [new asn1js.OctetString({ valueHex: leaf.keyId })] }),
  ];
  const key = new pkijs.PKCS8ShroudedKeyBag({
    parsedValue: pkijs.PrivateKeyInfo.fromBER(arrayBuffer(leaf.key.pkcs8)),
  });
  await key.makeInternalValues(encryption);
  const keyBag = new pkijs.SafeBag({
    bagId: OID.shroudedKeyBag,
    bagValue: key,
    bagAttributes: attributes(),
  });
  const certBags = [leaf, ...issuers].map(
    ({ certificate }) =>
      new pkijs.SafeBag({
        bagId: OID.certBag,
        bagValue: new pkijs.CertBag({ parsedValue: certificate }),
        ...(certificate === leaf.certificate && { bagAttributes: attributes() }),
      }),
  );
  const authenticatedSafe = new pkijs.AuthenticatedSafe({
    parsedValue: {
      safeContents: [
        { privacyMode: 0, value: new pkijs.SafeContents({ safeBags: [keyBag] }) },
        { privacyMode: 1, value: new pkijs.SafeContents({ safeBags: certBags }) },
      ],
    },
  });
  await authenticatedSafe.makeInternalValues({ safeContents: [{}, encryption] });
  authenticatedSafe.safeContents[1] = await unsplit(
    new pkijs.SafeContents({ safeBags: certBags }),
    encryption,
  );
  const pfx = new pkijs.PFX({ parsedValue: { integrityMode: 0, authenticatedSafe } });
  await pfx.makeInternalValues({
    password,
    iterations: ITERATIONS,
    pbkdf2HashAlgorithm: 'SHA-256',
    hmacHashAlgorithm: 'SHA-256',
  });
  return Buffer.from(pfx.toSchema().toBER());
}

/** PKI.js would chop the ciphertext up, which is valid BER, and which node-forge does not read. */
async function unsplit(contents, encryption) {
  const encrypted = new pkijs.EncryptedData({ disableSplit: true });
  await encrypted.encrypt({ ...encryption, contentToEncrypt: contents.toSchema().toBER() });
  return new pkijs.ContentInfo({ contentType: OID.encryptedData, content: encrypted.toSchema() });
}

/** 3DES for the key, SHA-1 for the MAC, the certificates in the clear: the old algorithms, as node-forge writes them. */
function legacyPkcs12({ leaf, issuers, label }) {
  const key = forge.pki.privateKeyFromPem(leaf.key.privatePem);
  const certificates = [leaf, ...issuers].map(({ pem }) => pem);
  const asn1 = forge.pkcs12.toPkcs12Asn1(key, certificates, PASSWORD, {
    algorithm: '3des',
    count: 2048,
    friendlyName: label,
  });
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary');
}

function pem(type, der) {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${type}-----\n${lines.join('\n')}\n-----END ${type}-----\n`;
}

/** A copy of just these bytes: asn1js wants an ArrayBuffer, and a Node Buffer may share one. */
function arrayBuffer(bytes) {
  return new Uint8Array(bytes).buffer;
}
