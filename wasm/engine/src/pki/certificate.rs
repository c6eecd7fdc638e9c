//! Reads an X.509 certificate (RFC 5280). It verifies nothing.

use sha2::{Digest, Sha256};

use super::der::{
    bit_string, dotted, Element, Elements, Malformed, BIT_STRING, BOOLEAN, GENERALIZED_TIME,
    INTEGER, OBJECT_IDENTIFIER, SEQUENCE, UTC_TIME,
};
use super::extension::{Extension, ExtensionId};
use super::name::{distinguished_name, general_names, push_hex, unreadable, NameId};
use crate::wire::Writer;

/// The content of the feature (RFC 7633, RFC 6066 section 8).
const STATUS_REQUEST: [u8; 1] = [5];

#[derive(Clone)]
pub struct Certificate<'a> {
    der: &'a [u8],
    to_be_signed: &'a [u8],
    signature_algorithm: String,
    signature_identifier: &'a [u8],
    signature: &'a [u8],
    is_version_1: bool,
    serial: String,
    serial_number: &'a [u8],
    issuer: Element<'a>,
    issuer_id: NameId,
    subject: Element<'a>,
    subject_id: NameId,
    not_before: String,
    not_after: String,
    validity: Element<'a>,
    spki: Element<'a>,
    subject_alt_names: Vec<String>,
    extensions: Option<Element<'a>>,
    authority: bool,
    path_length: Option<usize>,
    must_staple: bool,
    /// Bit n of the extension at bit n; `None` without the extension.
    key_usage: Option<u16>,
    extended_key_usage: Option<Vec<String>>,
}

/// Bits of keyUsage that issuers need (RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy)]
pub enum KeyUsageBit {
    DigitalSignature = 0,
    KeyCertSign = 5,
    CrlSign = 6,
}

impl<'a> Certificate<'a> {
    /// For a judgement: all that one can rest on is well-formed.
    pub fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        match Self::read_for_display(der)? {
            (certificate, true) => Ok(certificate),
            (_, false) => Err(Malformed),
        }
    }

    /// For people: what cannot be read is left out, and then the second value is false.
    fn read_for_display(der: &'a [u8]) -> Result<(Self, bool), Malformed> {
        let mut whole = true;
        let mut input = Elements::new(der);
        let mut outer = input.expect(SEQUENCE)?.children();
        input.finish()?;
        let to_be_signed = outer.expect(SEQUENCE)?;
        let signature_identifier = outer.expect(SEQUENCE)?;
        let signature = outer.expect(BIT_STRING)?;
        whole &= outer.finish().is_ok();

        let mut fields = to_be_signed.children();
        let is_version_1 = fields.optional(0xa0)?.is_none();
        let serial = fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?;
        let validity = fields.expect(SEQUENCE)?;
        let subject = fields.expect(SEQUENCE)?;
        let spki = fields.expect(SEQUENCE)?;
        let mut times = validity.children();
        let mut time = || or_default(times.any().and_then(time), &mut whole);
        let (not_before, not_after) = (time(), time());
        let mut certificate = Self {
            der,
            to_be_signed: to_be_signed.whole,
            signature_algorithm: or_default(algorithm(signature_identifier), &mut whole),
            signature_identifier: signature_identifier.content,
            signature: or_default(bit_string(signature), &mut whole),
            is_version_1,
            serial: serial_number(serial.content),
            serial_number: serial.content,
            issuer,
            issuer_id: issuer.into(),
            subject,
            subject_id: subject.into(),
            not_before,
            not_after,
            validity,
            spki,
            subject_alt_names: Vec::new(),
            extensions: None,
            authority: false,
            path_length: None,
            must_staple: false,
            key_usage: None,
            extended_key_usage: None,
        };
        whole &= certificate.read_extensions(fields).is_ok();
        Ok((certificate, whole))
    }

    /// Reads all that it can.
    fn read_extensions(&mut self, mut fields: Elements<'a>) -> Result<(), Malformed> {
        fields.optional(0x81)?;
        fields.optional(0x82)?;
        let mut result = Ok(());
        if let Some(tagged) = fields.optional(0xa3)? {
            let extensions = tagged.children().expect(SEQUENCE)?;
            self.extensions = Some(extensions);
            for extension in extensions.children() {
                let extension = extension.and_then(Extension::read);
                result = extension
                    .and_then(|it| self.read_extension(&it))
                    .and(result);
            }
        }
        result.and(fields.finish())
    }

    fn read_extension(&mut self, extension: &Extension<'a>) -> Result<(), Malformed> {
        let value = extension.value;
        match extension.id() {
            Some(ExtensionId::SubjectAltName) => {
                let names = general_names(value);
                self.subject_alt_names = names.clone().unwrap_or_else(|_| vec![unreadable(value)]);
                names?;
            }
            Some(ExtensionId::BasicConstraints) => {
                let mut constraints = Elements::new(value).expect(SEQUENCE)?.children();
                let authority = constraints.optional(BOOLEAN)?;
                self.authority = authority.is_some_and(|it| it.content != [0]);
                self.path_length = constraints.optional(INTEGER)?.map(small_number);
            }
            Some(ExtensionId::KeyUsage) => {
                let bits = Elements::new(value).expect(BIT_STRING)?.content;
                let octets = bits.iter().skip(1).take(2).enumerate();
                let usage = octets.fold(0, |sum, (at, octet)| {
                    sum | u16::from(octet.reverse_bits()) << (8 * at)
                });
                self.key_usage = Some(usage);
            }
            Some(ExtensionId::ExtendedKeyUsage) => {
                let purposes = Elements::new(value).expect(SEQUENCE)?.children();
                let purposes = purposes.map(|it| dotted(it?.content));
                self.extended_key_usage = Some(purposes.collect::<Result<_, _>>()?);
            }
            Some(ExtensionId::TlsFeatures) => {
                let features = Elements::new(value).expect(SEQUENCE)?.children();
                self.must_staple = features.flatten().any(|it| it.content == STATUS_REQUEST);
            }
            _ => {}
        }
        Ok(())
    }

    /// The subject, or what names the certificate where that is empty.
    pub fn display_name(&self) -> String {
        match distinguished_name(self.subject) {
            Ok(name) if !name.is_empty() => name,
            _ => match self.subject_alt_names.first() {
                Some(name) => name.clone(),
                None => format!("the certificate {}", self.serial),
            },
        }
    }

    pub fn has_empty_subject(&self) -> bool {
        self.subject.content.is_empty()
    }

    pub fn issuer_name(&self) -> String {
        distinguished_name(self.issuer).unwrap_or_default()
    }

    /// YYYYMMDDHHMMSSZ, as is [`Self::not_after`].
    pub fn not_before(&self) -> &str {
        &self.not_before
    }

    pub fn not_after(&self) -> &str {
        &self.not_after
    }

    /// Two times, as they are encoded.
    pub fn validity(&self) -> Elements<'a> {
        self.validity.children()
    }

    pub fn key_algorithm(&self) -> Result<String, Malformed> {
        key_algorithm(self.spki)
    }

    /// The whole SubjectPublicKeyInfo.
    pub fn spki(&self) -> &'a [u8] {
        self.spki.whole
    }

    /// The key's own bits, without the algorithm.
    pub fn public_key(&self) -> Result<&'a [u8], Malformed> {
        let mut fields = self.spki.children();
        fields.expect(SEQUENCE)?;
        bit_string(fields.expect(BIT_STRING)?)
    }

    pub fn subject(&self) -> NameId {
        self.subject_id
    }

    pub fn issuer(&self) -> NameId {
        self.issuer_id
    }

    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Whether it names its own subject as its issuer (RFC 5280 section 3.2), whoever's key has signed it.
    pub fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    pub fn subject_element(&self) -> Element<'a> {
        self.subject
    }

    pub fn issuer_element(&self) -> Element<'a> {
        self.issuer
    }

    /// The subjectAltName as it is; none without the extension.
    pub fn general_names(&self) -> Result<Vec<Element<'a>>, Malformed> {
        match self.extension(ExtensionId::SubjectAltName) {
            Some(extension) => Elements::new(extension.value)
                .expect(SEQUENCE)?
                .children()
                .collect(),
            None => Ok(Vec::new()),
        }
    }

    /// The content of the INTEGER.
    pub fn serial_number(&self) -> &'a [u8] {
        self.serial_number
    }

    pub fn subject_alt_names(&self) -> &[String] {
        &self.subject_alt_names
    }

    /// Certificates of version 1 have no extensions.
    pub fn is_version_1(&self) -> bool {
        self.is_version_1
    }

    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> {
        let all = self.extensions.map(|it| it.children());
        all.into_iter()
            .flatten()
            .flatten()
            .filter_map(|it| Extension::read(it).ok())
    }

    pub fn extension(&self, id: ExtensionId) -> Option<Extension<'a>> {
        self.extensions().find(|it| it.is(id))
    }

    /// Whether basicConstraints call it an authority.
    pub fn is_authority(&self) -> bool {
        self.authority
    }

    pub fn path_length(&self) -> Option<usize> {
        self.path_length
    }

    /// Bit n of the extension at bit n.
    pub fn key_usage(&self) -> Option<u16> {
        self.key_usage
    }

    /// Whether its key may be used for that: so it may where nothing is said.
    pub fn may(&self, bit: KeyUsageBit) -> bool {
        self.key_usage.is_none_or(|it| it & 1 << bit as u16 != 0)
    }

    pub fn extended_key_usage(&self) -> Option<&[String]> {
        self.extended_key_usage.as_deref()
    }

    /// Whether its server has to staple an OCSP response (RFC 7633).
    pub fn must_staple(&self) -> bool {
        self.must_staple
    }

    pub fn to_be_signed(&self) -> &'a [u8] {
        self.to_be_signed
    }

    /// The content of its AlgorithmIdentifier, and the signature itself.
    pub fn signature(&self) -> (&'a [u8], &'a [u8]) {
        (self.signature_identifier, self.signature)
    }

    /// In this order: subject, issuer, serial number, notBefore, notAfter (strings, times as YYYYMMDDHHMMSSZ), alternative
    /// names (list of strings), SHA-256 of the whole and of the SPKI (bytes), key algorithm (string), whether it is a CA (u8), whether
    /// it limits its key usage (u8), to what (u16, bit n of the extension at bit n), whether it limits its purposes (u8), to which
    /// (list of OIDs); then DER: SPKI, subject, issuer, to-be-signed; signature algorithm (OID, string), signature (bytes).
    /// What cannot be read: names as [`unreadable`], times and algorithms as nothing.
    pub fn describe(der: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (certificate, _) = Certificate::read_for_display(der)?;
        Ok(certificate.description())
    }

    fn description(&self) -> Vec<u8> {
        Writer::default()
            .str(&shown_name(self.subject))
            .str(&shown_name(self.issuer))
            .str(&self.serial)
            .str(&self.not_before)
            .str(&self.not_after)
            .list(self.subject_alt_names.iter())
            .bytes(&Sha256::digest(self.der))
            .bytes(&Sha256::digest(self.spki.whole))
            .str(&key_algorithm(self.spki).unwrap_or_default())
            .u8(u8::from(self.authority))
            .u8(u8::from(self.key_usage.is_some()))
            .u16(self.key_usage.unwrap_or_default())
            .u8(u8::from(self.extended_key_usage.is_some()))
            .list(
                self.extended_key_usage
                    .as_deref()
                    .unwrap_or_default()
                    .iter(),
            )
            .bytes(self.spki.whole)
            .bytes(self.subject.whole)
            .bytes(self.issuer.whole)
            .bytes(self.to_be_signed)
            .str(&self.signature_algorithm)
            .bytes(self.signature)
            .finish()
    }
}

fn or_default<T: Default>(read: Result<T, Malformed>, whole: &mut bool) -> T {
    *whole &= read.is_ok();
    read.unwrap_or_default()
}

fn shown_name(name: Element<'_>) -> String {
    distinguished_name(name).unwrap_or_else(|_| unreadable(name.whole))
}

fn algorithm(identifier: Element<'_>) -> Result<String, Malformed> {
    dotted(identifier.children().expect(OBJECT_IDENTIFIER)?.content)
}

/// Of an INTEGER that limits something: more than fits is more than any limit, and nothing is less than nothing.
fn small_number(element: Element<'_>) -> usize {
    if element.content.first().is_some_and(|it| *it > 0x7f) {
        return 0;
    }
    element
        .content
        .iter()
        .try_fold(0usize, |sum, &octet| {
            sum.checked_mul(256)?.checked_add(usize::from(octet))
        })
        .unwrap_or(usize::MAX)
}

fn serial_number(content: &[u8]) -> String {
    let digits = match content {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    let mut out = String::new();
    push_hex(digits, &mut out);
    out
}

/// A UTCTime or GeneralizedTime as YYYYMMDDHHMMSSZ.
pub fn time(element: Element<'_>) -> Result<String, Malformed> {
    let text = std::str::from_utf8(element.content).map_err(|_| Malformed)?;
    let digits = text.strip_suffix('Z').ok_or(Malformed)?;
    let mut out = String::with_capacity(15);
    match (element.tag, digits.len()) {
        // Seconds may be missing in old certificates; RFC 5280 section 4.1.2.5.1 for the century.
        (UTC_TIME, 10 | 12) => out.push_str(if digits < "50" { "20" } else { "19" }),
        (GENERALIZED_TIME, 14) => {}
        _ => return Err(Malformed),
    }
    out.push_str(digits);
    if out.len() == 12 {
        out.push_str("00");
    }
    let field = |range: std::ops::Range<usize>| -> Option<u8> { out.get(range)?.parse().ok() };
    let real = out.bytes().all(|it| it.is_ascii_digit())
        && field(4..6).is_some_and(|month| (1..=12).contains(&month))
        && field(6..8).is_some_and(|day| (1..=31).contains(&day))
        && field(8..10).is_some_and(|hour| hour < 24)
        && field(10..12).is_some_and(|minute| minute < 60)
        && field(12..14).is_some_and(|second| second < 61);
    if !real {
        return Err(Malformed);
    }
    out.push('Z');
    Ok(out)
}

fn key_algorithm(spki: Element<'_>) -> Result<String, Malformed> {
    let mut fields = spki.children();
    let mut identifier = fields.expect(SEQUENCE)?.children();
    let key = fields.expect(BIT_STRING)?;
    let oid = dotted(identifier.expect(OBJECT_IDENTIFIER)?.content)?;
    Ok(match oid.as_str() {
        "1.2.840.113549.1.1.1" => format!("RSA-{}", modulus_bits(key)?),
        "1.2.840.113549.1.1.10" => format!("RSASSA-PSS-{}", modulus_bits(key)?),
        "1.2.840.10045.2.1" => match identifier.optional(OBJECT_IDENTIFIER)? {
            Some(curve) => format!("ECDSA {}", curve_name(&dotted(curve.content)?)),
            None if identifier.optional(SEQUENCE)?.is_some() => {
                String::from("ECDSA with explicit parameters")
            }
            None => String::from("ECDSA"),
        },
        "1.3.101.112" => String::from("Ed25519"),
        "1.3.101.113" => String::from("Ed448"),
        "1.2.840.10040.4.1" => String::from("DSA"),
        _ => oid,
    })
}

fn curve_name(oid: &str) -> &str {
    match oid {
        "1.2.840.10045.3.1.7" => "P-256",
        "1.3.132.0.34" => "P-384",
        "1.3.132.0.35" => "P-521",
        "1.3.132.0.10" => "secp256k1",
        other => other,
    }
}

fn modulus_bits(key: Element<'_>) -> Result<usize, Malformed> {
    let mut numbers = Elements::new(bit_string(key)?).expect(SEQUENCE)?.children();
    let modulus = numbers.expect(INTEGER)?.content;
    let zeros = modulus.iter().take_while(|&&octet| octet == 0).count();
    let first = modulus.get(zeros).ok_or(Malformed)?;
    Ok((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::Reader;

    fn certificate() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec![
            String::from("client.example.com"),
            String::from("::1"),
        ])
        .unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Ada, Countess");
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, "Engines");
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.serial_number = Some(rcgen::SerialNumber::from(vec![0xca, 0xfe]));
        params.key_usages = vec![
            rcgen::KeyUsagePurpose::DigitalSignature,
            rcgen::KeyUsagePurpose::KeyCertSign,
        ];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn describes_a_certificate() {
        let der = certificate();
        let description = Certificate::describe(&der).unwrap();
        let mut reader = Reader::new(&description);
        let subject = reader.str().unwrap();
        assert!(
            subject.contains("CN=Ada\\, Countess") && subject.contains("O=Engines"),
            "{subject}"
        );
        assert_eq!(reader.str(), Ok(subject));
        assert_eq!(reader.str(), Ok("cafe"));
        assert_eq!(reader.str(), Ok("20240229000000Z"));
        assert_eq!(reader.str(), Ok("20500101000000Z"));
        let names = reader.list().unwrap();
        assert_eq!(names, [b"DNS:client.example.com".as_slice(), b"IP:::1"]);
        assert_eq!(reader.bytes(), Ok(Sha256::digest(&der).as_slice()));
        let pin = reader.bytes().unwrap();
        assert_eq!(reader.str(), Ok("ECDSA P-256"));
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!((reader.u8(), reader.u16()), (Ok(1), Ok(0b10_0001)));
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.list().unwrap(), [b"1.3.6.1.5.5.7.3.2"]);
        let spki = reader.bytes().unwrap();
        assert_eq!(pin, Sha256::digest(spki).as_slice());
        assert_eq!(reader.bytes(), reader.bytes());
        assert!(der.get(4..).unwrap().starts_with(reader.bytes().unwrap()));
        assert_eq!(reader.str(), Ok("1.2.840.10045.4.3.2"));
        assert!(!reader.bytes().unwrap().is_empty());
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn survives_truncation_and_every_changed_byte() {
        let der = certificate();
        for len in 0..der.len() {
            assert!(Certificate::read(der.get(..len).unwrap()).is_err());
        }
        for at in 0..der.len() {
            for bit in 0..8 {
                let mut bad = der.clone();
                *bad.get_mut(at).unwrap() ^= 1 << bit;
                let _ = Certificate::describe(&bad);
                let _ = Certificate::read(&bad);
            }
        }
        let trailing = [der.as_slice(), &[0]].concat();
        assert!(Certificate::read(&trailing).is_err());
    }

    /// With some of its octets replaced by as many others.
    fn changed(der: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut changed = der.to_vec();
        let at = der.windows(from.len()).position(|it| it == from).unwrap();
        changed
            .get_mut(at..)
            .unwrap()
            .get_mut(..to.len())
            .unwrap()
            .copy_from_slice(to);
        changed
    }

    #[test]
    fn shows_a_certificate_of_which_no_judgement_is_possible() {
        let der = certificate();
        // 2024-02-29, the extensions keyUsage, subjectAltName and extKeyUsage, the P of P-256, the algorithm of the signature.
        for (from, to) in [
            (b"240229".as_slice(), b"241329".as_slice()),
            (
                &[0x55, 0x1d, 0x0f, 1, 1, 0xff, 4],
                &[0x55, 0x1d, 0x0f, 1, 1, 0xff, 5],
            ),
            (&[0x55, 0x1d, 0x11, 4], &[0x55, 0x1d, 0x11, 5]),
            (
                &[0x55, 0x1d, 0x25, 4, 0x0c, 0x30],
                &[0x55, 0x1d, 0x25, 4, 0x0c, 0x31],
            ),
        ] {
            let odd = changed(&der, from, to);
            assert!(Certificate::read(&odd).is_err(), "{from:?}");
            let description = Certificate::describe(&odd).unwrap();
            let mut reader = Reader::new(&description);
            assert!(reader.str().unwrap().contains("CN=Ada"), "{from:?}");
        }
        // What nothing is judged by.
        for (from, to) in [
            (b"Ada, Countess".as_slice(), b"\xff".as_slice()),
            (&[0x87, 16], &[0x88, 16]),
        ] {
            let odd = changed(&der, from, to);
            assert!(Certificate::read(&odd).is_ok(), "{from:?}");
            assert!(Certificate::describe(&odd).is_ok(), "{from:?}");
        }
    }

    #[test]
    fn reads_times() {
        let read = |tag, text: &str| {
            time(Element {
                tag,
                content: text.as_bytes(),
                whole: &[],
            })
        };
        assert_eq!(
            read(UTC_TIME, "491231235959Z").as_deref(),
            Ok("20491231235959Z")
        );
        assert_eq!(
            read(UTC_TIME, "5001010000Z").as_deref(),
            Ok("19500101000000Z")
        );
        assert_eq!(
            read(GENERALIZED_TIME, "99991231235959Z").as_deref(),
            Ok("99991231235959Z")
        );
        for bad in [
            "",
            "Z",
            "20241301000000Z",
            "2024010100000xZ",
            "20240101000000",
            "20240101250000Z",
        ] {
            assert_eq!(read(GENERALIZED_TIME, bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn writes_serial_numbers_as_openssl_does() {
        assert_eq!(serial_number(&[0, 0xff]), "ff");
        assert_eq!(serial_number(&[0]), "00");
        assert_eq!(serial_number(&[1, 2]), "0102");
    }
}
