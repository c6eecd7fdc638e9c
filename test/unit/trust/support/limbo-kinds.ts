import {
  type Asked,
  constrained,
  type Forge,
  FUTURE,
  HOST,
  type Kind,
  named,
  ORGANIZATION,
  OTHER_ORGANIZATION,
  PAST,
  pathLength,
} from '../../../support/limbo-kinds.js';
import { CA, SERVER } from '../../../support/trust-pki.js';

type Make = (forge: Forge) => Asked;
type Kinds = Record<string, Make>;

const CLIENT = ['extendedKeyUsage=clientAuth'];
const mail = (address: string) => [...CLIENT, `subjectAltName=email:${address}`];
const client = ({ hostname: _, ...asked }: Asked): Asked => ({ ...asked, purpose: 'client' });
const rsa = (bits: number) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`];
const P192 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-192'];
/** A key identifier of four octets that is nobody's. */
const STRANGE_KEY_ID = 'authorityKeyIdentifier=DER:30:06:80:04:01:02:03:04';
const called = (name: string, asked: Asked): Asked => ({ ...asked, hostname: name });

function selfIssued(forge: Forge, extensions: string[]): Asked {
  const anchor = forge.ca(constrained('permitted;DNS:example.com'));
  const again = forge.ca([...extensions, 'subjectAltName=DNS:other.test'], {
    by: anchor,
    subject: '/O=Tests/CN=Root',
  });
  return { chain: [forge.leaf(again), again], anchor, hostname: HOST };
}

function selfIssuedLine(forge: Forge): Asked {
  const subject = '/O=Tests/CN=Again';
  const first = forge.ca(pathLength(1), { by: forge.root, subject });
  const second = forge.ca(pathLength(1), { by: first, subject });
  const third = forge.ca(pathLength(0), { by: second });
  return { chain: [forge.leaf(third), first, second, third], anchor: forge.root, hostname: HOST };
}

function revoked(
  forge: Forge,
  list: (asked: { anchor: Asked['anchor']; own: Asked['anchor'] }) => string,
): Asked {
  const asked = forge.below(forge.root);
  const [own] = asked.chain;
  if (!own) throw new Error('no certificate');
  return { ...asked, crls: [list({ anchor: asked.anchor, own })] };
}

const TRUSTED: Kinds = {
  'rfc5280::nc::permitted-dns-match': f => f.through(constrained('permitted;DNS:example.com')),
  'rfc5280::nc::permitted-dns-match-more': f => f.through(constrained(`permitted;DNS:${HOST}`)),
  'rfc5280::nc::permitted-ipv4-match': f =>
    called(
      '192.0.2.1',
      f.through(constrained('permitted;IP:192.0.2.0/255.255.255.0'), named('IP:192.0.2.1')),
    ),
  'rfc5280::nc::permitted-ipv6-match': f =>
    called('::1', f.through(constrained(`permitted;IP:::1/${'ffff:'.repeat(7)}ffff`), named('IP:::1'))),
  'rfc5280::nc::permitted-dn-match': f => f.through(constrained(`permitted;dirName:org\n${ORGANIZATION}`)),
  'rfc5280::nc::permitted-different-constraint-type': f =>
    f.through(constrained('permitted;IP:192.0.2.0/255.255.255.0')),
  'rfc5280::nc::excluded-different-constraint-type': f =>
    f.through(constrained('excluded;IP:192.0.2.0/255.255.255.0')),
  'rfc5280::nc::permitted-self-issued': f => selfIssued(f, CA),
  'rfc5280::nc::nc-permits-email-exact': f =>
    client(f.through(constrained('permitted;email:ada@example.com'), mail('ada@example.com'))),
  'rfc5280::nc::nc-permits-email-domain': f =>
    client(f.through(constrained('permitted;email:example.com'), mail('ada@example.com'))),
  'rfc5280::nc::nc-permits-email-literal-asterisk-exact-match': f =>
    client(f.through(constrained('permitted;email:*@example.com'), mail('*@example.com'))),
  'rfc5280::nc::nc-forbids-othername-noop': f => f.through(constrained('excluded;otherName:1.2.3;UTF8:x')),
  'rfc5280::aki::self-signed-root-missing-aki': f => f.below(f.ca([...CA, 'subjectKeyIdentifier=hash'])),
  'rfc5280::ca-as-leaf': f => f.below(f.root, [...CA, `subjectAltName=DNS:${HOST}`]),
  'pathlen::validation-ignores-pathlen-in-leaf': f =>
    f.through(pathLength(0), [...pathLength(0), `subjectAltName=DNS:${HOST}`]),
  'pathlen::ee-with-intermediate-pathlen-0': f => f.line(pathLength(0)),
  'pathlen::ee-with-intermediate-pathlen-1': f => f.line(pathLength(1)),
  'pathlen::intermediate-pathlen-may-increase': f => f.line(pathLength(1), pathLength(2)),
  'pathlen::self-issued-certs-pathlen': selfIssuedLine,
  'pathlen::max-chain-depth-0': f => ({ ...f.line(), maxChainLength: 0 }),
  'pathlen::max-chain-depth-1': f => ({ ...f.line(CA), maxChainLength: 1 }),
  'webpki::san::exact-dns-san': f => f.line(),
  'webpki::san::exact-ipv4-san': f => called('192.0.2.1', f.below(f.root, named('IP:192.0.2.1'))),
  'webpki::san::wildcard-san': f => f.below(f.root, named('DNS:*.example.com')),
  'crl::certificate-not-on-crl': f => revoked(f, it => f.crl(it.anchor, [])),
  'crl::certificate-serial-on-crl-different-issuer': f =>
    revoked(f, it => f.crl(f.ca(CA, { subject: '/CN=Other root' }), [it.own])),
};

const REFUSED: Kinds = {
  'rfc5280::validity::expired-leaf': f => f.below(f.root, named(), { dates: PAST }),
  'rfc5280::validity::notyet-valid-leaf': f => f.below(f.root, named(), { dates: FUTURE }),
  'rfc5280::validity::expired-root': f => f.below(f.ca(CA, { dates: PAST })),
  'rfc5280::validity::notyet-valid-root': f => f.below(f.ca(CA, { dates: FUTURE })),
  'rfc5280::nc::permitted-dns-mismatch': f => f.through(constrained('permitted;DNS:other.test')),
  'rfc5280::nc::excluded-dns-match': f => f.through(constrained('excluded;DNS:example.com')),
  'rfc5280::nc::excluded-dns-match-second': f =>
    f.through(constrained('excluded;DNS:other.test'), named(`DNS:${HOST}`, 'DNS:other.test')),
  'rfc5280::nc::excluded-match-permitted-and-excluded': f =>
    f.through(constrained('permitted;DNS:example.com,excluded;DNS:example.com')),
  'rfc5280::nc::permitted-dns-match-noncritical': f =>
    f.through([...CA, 'nameConstraints=permitted;DNS:example.com']),
  'rfc5280::nc::invalid-dnsname-wildcard': f => f.through(constrained('permitted;DNS:*.example.com')),
  'rfc5280::nc::invalid-dnsname-leading-period': f => f.through(constrained('permitted;DNS:.example.com')),
  'rfc5280::nc::nc-permits-invalid-dns-san': f =>
    f.through(constrained('permitted;DNS:example.com'), named(`DNS:${HOST}`, 'DNS:.example.com')),
  'rfc5280::nc::nc-forbids-dnsname-wildcard-san': f =>
    f.through(constrained(`excluded;DNS:${HOST}`), named('DNS:*.example.com')),
  'rfc5280::nc::permitted-ip-mismatch': f =>
    called(
      '192.0.3.1',
      f.through(constrained('permitted;IP:192.0.2.0/255.255.255.0'), named('IP:192.0.3.1')),
    ),
  'rfc5280::nc::excluded-ipv4-match': f =>
    called('192.0.2.1', f.through(constrained('excluded;IP:192.0.2.0/255.255.255.0'), named('IP:192.0.2.1'))),
  'rfc5280::nc::permitted-dn-mismatch': f =>
    f.through(constrained(`permitted;dirName:org\n${OTHER_ORGANIZATION}`)),
  'rfc5280::nc::excluded-dn-match': f => f.through(constrained(`excluded;dirName:org\n${ORGANIZATION}`)),
  'rfc5280::nc::permitted-dn-match-subject-san-mismatch': f =>
    f.through(constrained(`permitted;dirName:org\n${ORGANIZATION}`), named(), { subject: '/O=Others' }),
  'rfc5280::nc::excluded-self-issued-leaf': f =>
    f.through(constrained('permitted;DNS:other.test'), named(), { subject: '/O=Tests/CN=Authority' }),
  'rfc5280::nc::restrictive-permits-in-intermediates-widens': f =>
    f.line(constrained('permitted;DNS:other.test'), constrained('permitted;DNS:example.com')),
  'rfc5280::nc::restrictive-permits-in-intermediates-narrows': f =>
    f.line(constrained('permitted;DNS:example.com'), constrained('permitted;DNS:other.test')),
  'rfc5280::nc::nc-permits-email-literal-asterisk-rejects-user': f =>
    client(f.through(constrained('permitted;email:*@example.com'), mail('user@example.com'))),
  'rfc5280::nc::nc-permits-invalid-email-san': f =>
    client(f.through(constrained('permitted;email:example.com'), mail('ada@lovelace@example.com'))),
  'rfc5280::nc::invalid-email-address': f =>
    client(f.through(constrained('permitted;email:a@b@example.com'), mail('ada@example.com'))),
  'rfc5280::nc::nc-forbids-othername': f =>
    f.through(constrained('excluded;otherName:1.2.3;UTF8:x'), named(`DNS:${HOST}`, 'otherName:1.2.3;UTF8:x')),
  'rfc5280::nc::not-allowed-in-ee-noncritical': f =>
    f.below(f.root, [...named(), 'nameConstraints=permitted;DNS:example.com']),
  'rfc5280::aki::critical-aki': f =>
    f.below(f.ca([...CA, 'subjectKeyIdentifier=hash', 'authorityKeyIdentifier=critical,keyid:always'])),
  'rfc5280::aki::leaf-missing-aki': f => f.line(),
  'rfc5280::aki::intermediate-missing-aki': f => f.line([...CA, 'subjectKeyIdentifier=hash']),
  'rfc5280::ski::critical-ski': f => f.below(f.ca([...CA, 'subjectKeyIdentifier=critical,hash'])),
  'rfc5280::ski::root-missing-ski': f => f.below(f.ca(CA)),
  'rfc5280::ski::intermediate-missing-ski': f => f.through(CA),
  'rfc5280::san::malformed': f => f.below(f.root, [...SERVER, 'subjectAltName=DER:65:78:61']),
  'rfc5280::san::noncritical-with-empty-subject': f => f.below(f.root, named(), { subject: '/' }),
  'rfc5280::san::underscore-dns': f =>
    called('foo_bar.example.com', f.below(f.root, named('DNS:foo_bar.example.com'))),
  'rfc5280::san::ip-in-dns': f => called('192.0.2.1', f.below(f.root, named('DNS:192.0.2.1'))),
  'rfc5280::serial::too-long': f => f.below(f.root, named(), { serial: '7f'.repeat(21) }),
  'rfc5280::serial::zero': f => f.below(f.root, named(), { serial: '00' }),
  'rfc5280::pc::ica-noncritical-pc': f => f.through([...CA, 'policyConstraints=requireExplicitPolicy:0']),
  'rfc5280::eku::ee-wrong-eku': f => f.below(f.root, [...CLIENT, `subjectAltName=DNS:${HOST}`]),
  'rfc5280::unknown-critical-extension-ee': f => f.below(f.root, [...named(), '1.2.3=critical,ASN1:NULL']),
  'rfc5280::unknown-critical-extension-root': f => f.below(f.ca([...CA, '1.2.3=critical,ASN1:NULL'])),
  'rfc5280::unknown-critical-extension-intermediate': f => f.through([...CA, '1.2.3=critical,ASN1:NULL']),
  'rfc5280::ca-empty-subject': f => f.below(f.ca(CA, { subject: '/' })),
  'rfc5280::root-missing-basic-constraints': f => f.below(f.ca(['keyUsage=critical,keyCertSign'])),
  'rfc5280::root-non-critical-basic-constraints': f => f.below(f.ca(['basicConstraints=CA:TRUE'])),
  'rfc5280::root-inconsistent-ca-extensions': f =>
    f.below(f.ca(['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,keyCertSign'])),
  'rfc5280::ica-ku-keycertsign': f => f.through(['basicConstraints=critical,CA:TRUE', 'keyUsage=cRLSign']),
  'rfc5280::leaf-ku-keycertsign': f => f.below(f.root, [...named(), 'keyUsage=keyCertSign']),
  'rfc5280::chain-untrusted-root': f => ({ ...f.line(CA), anchor: f.ca(CA, { subject: '/CN=Other root' }) }),
  'rfc5280::intermediate-ca-without-ca-bit': f => f.through(['basicConstraints=critical,CA:FALSE']),
  'rfc5280::mismatching-signature': f => ({ ...f.line(CA), anchor: f.ca() }),
  'pathlen::intermediate-violates-pathlen-0': f => f.line(pathLength(0), pathLength(0)),
  'pathlen::intermediate-pathlen-too-long': f => f.line(pathLength(1), pathLength(0), pathLength(0)),
  'pathlen::max-chain-depth-0-exhausted': f => ({ ...f.line(CA), maxChainLength: 0 }),
  'pathlen::max-chain-depth-1-exhausted': f => ({ ...f.line(CA, CA), maxChainLength: 1 }),
  'webpki::aki::root-with-aki-missing-keyidentifier': f =>
    f.below(f.ca([...CA, 'authorityKeyIdentifier=DER:30:00'])),
  'webpki::aki::root-with-aki-authoritycertserialnumber': f =>
    f.below(f.ca([...CA, 'authorityKeyIdentifier=DER:30:03:82:01:05'])),
  'webpki::aki::root-with-aki-ski-mismatch': f =>
    f.below(f.ca([...CA, 'subjectKeyIdentifier=hash', STRANGE_KEY_ID])),
  'webpki::cn::not-in-san': f => f.below(f.root, named(), { subject: '/CN=other.test' }),
  'webpki::cn::case-mismatch': f => f.below(f.root, named(), { subject: `/CN=${HOST.toUpperCase()}` }),
  'webpki::eku::ee-anyeku': f =>
    f.below(f.root, ['extendedKeyUsage=serverAuth,anyExtendedKeyUsage', `subjectAltName=DNS:${HOST}`]),
  'webpki::eku::ee-critical-eku': f =>
    f.below(f.root, ['extendedKeyUsage=critical,serverAuth', `subjectAltName=DNS:${HOST}`]),
  'webpki::eku::ee-without-eku': f => f.below(f.root, [`subjectAltName=DNS:${HOST}`]),
  'webpki::eku::root-has-eku': f => f.below(f.ca([...CA, 'extendedKeyUsage=serverAuth'])),
  'webpki::san::no-san': f => f.below(f.root, SERVER, { subject: `/CN=${HOST}` }),
  'webpki::san::mismatch-domain-san': f => f.below(f.root, named('DNS:other.test')),
  'webpki::san::wildcard-not-in-leftmost-san': f => f.below(f.root, named('DNS:host.*.com')),
  'webpki::san::wildcard-match-across-labels-san': f =>
    called('a.host.example.com', f.below(f.root, named('DNS:*.example.com'))),
  'webpki::san::san-critical-with-nonempty-subject': f =>
    f.below(f.root, [...SERVER, `subjectAltName=critical,DNS:${HOST}`]),
  'webpki::san::public-suffix-wildcard-san': f =>
    called('example.co.uk', f.below(f.root, named('DNS:*.co.uk'))),
  'webpki::malformed-aia': f => f.below(f.root, [...named(), 'authorityInfoAccess=DER:65:78']),
  'webpki::ca-as-leaf': f => f.below(f.root, [...CA, `subjectAltName=DNS:${HOST}`]),
  'webpki::ee-basicconstraints-ca': f =>
    f.below(f.root, [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=digitalSignature',
      `subjectAltName=DNS:${HOST}`,
    ]),
  'webpki::forbidden-weak-rsa-key-in-root': f => f.below(f.ca(CA, { key: rsa(1024) })),
  'webpki::forbidden-weak-rsa-in-leaf': f => f.below(f.root, named(), { key: rsa(1024) }),
  'webpki::forbidden-p192-root': f => f.below(f.ca(CA, { key: P192 })),
  'webpki::forbidden-p192-leaf': f => f.below(f.root, named(), { key: P192 }),
  'webpki::v1-cert': f => f.below(f.root, []),
  'crl::revoked-certificate-with-crl': f => revoked(f, it => f.crl(it.anchor, [it.own])),
  'crl::crlnumber-missing': f => revoked(f, it => f.crl(it.anchor, [], { hasNumber: false })),
  'crl::issuer-missing-crlsign': f => {
    const anchor = f.ca(['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']);
    return { ...f.below(anchor), crls: [f.crl(anchor, [])] };
  },
  'crl::indirect': f =>
    revoked(f, it =>
      f.crl(it.anchor, [], {
        extensions: ['issuingDistributionPoint=critical,@point\n[point]\nindirectCRL=TRUE'],
      }),
    ),
  'crl::unknown-critical-extension': f =>
    revoked(f, it => f.crl(it.anchor, [], { extensions: ['1.2.3=critical,ASN1:NULL'] })),
  'crl::out-of-date': f => revoked(f, it => f.crl(it.anchor, [], { days: [-9, -2] })),
  'crl::other-key': f => revoked(f, () => f.crl(f.ca(), [])),
};

const list = (kinds: Kinds, wanted: Kind['wanted']): Kind[] =>
  Object.entries(kinds).map(([name, make]) => ({ name, wanted, make }));

export const KINDS: Kind[] = [...list(TRUSTED, 'trusted'), ...list(REFUSED, 'refused')];

/** Those that are decided otherwise here than limbo wants it: the tables of docs/trust.md. */
export const DECIDED_OTHERWISE = [
  'crl::crlnumber-missing',
  'pathlen::validation-ignores-pathlen-in-leaf',
  'rfc5280::aki::intermediate-missing-aki',
  'rfc5280::aki::leaf-missing-aki',
  'rfc5280::ca-as-leaf',
  'rfc5280::ca-empty-subject',
  'rfc5280::nc::invalid-dnsname-leading-period',
  'rfc5280::nc::permitted-dns-match-noncritical',
  'rfc5280::root-non-critical-basic-constraints',
  'rfc5280::san::noncritical-with-empty-subject',
  'rfc5280::san::underscore-dns',
  'rfc5280::serial::too-long',
  'rfc5280::serial::zero',
  'rfc5280::ski::intermediate-missing-ski',
  'rfc5280::ski::root-missing-ski',
  'webpki::aki::root-with-aki-missing-keyidentifier',
  'webpki::cn::case-mismatch',
  'webpki::cn::not-in-san',
  'webpki::eku::ee-anyeku',
  'webpki::eku::ee-critical-eku',
  'webpki::eku::ee-without-eku',
  'webpki::eku::root-has-eku',
  'webpki::san::public-suffix-wildcard-san',
  'webpki::san::san-critical-with-nonempty-subject',
];
