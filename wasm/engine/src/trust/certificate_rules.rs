//! What a certificate of a path must be, on its own (RFC 5280 section 4).

use rustls::pki_types::CertificateDer;
use webpki::{EndEntityCert, Error};

use super::asn1_time::{has_day, readable};
use super::identifiers;
use super::refusal::{Reason, Refusal};
use super::signatures::Signatures;
use crate::pki::certificate::{Certificate, KeyUsageBit};
use crate::pki::der::{
    Element, Elements, Malformed, BOOLEAN, GENERALIZED_TIME, OBJECT_IDENTIFIER, SEQUENCE, UTC_TIME,
};
use crate::pki::extension::{is_der_boolean, Extension, ExtensionId};

/// RFC 5280 section 4.1.2.2.
const MAX_SERIAL_OCTETS: usize = 20;
const MIN_RSA_BITS: u32 = 2048;

/// Those that are understood here, or that change nothing here: they may be critical.
const UNDERSTOOD: [ExtensionId; 10] = [
    ExtensionId::KeyUsage,
    ExtensionId::SubjectAltName,
    ExtensionId::BasicConstraints,
    ExtensionId::NameConstraints,
    ExtensionId::CrlDistributionPoints,
    ExtensionId::CertificatePolicies,
    ExtensionId::PolicyMappings,
    ExtensionId::PolicyConstraints,
    ExtensionId::ExtendedKeyUsage,
    ExtensionId::InhibitAnyPolicy,
];

/// What a search asks of every certificate and path.
pub struct Limits<'a> {
    /// Seconds since 1970.
    pub at: u64,
    /// The same, YYYYMMDDHHMMSSZ
    pub now: &'a str,
    pub purpose: Purpose,
    /// Of authorities between the certificate in question and the anchor, counted as path lengths are. `None`: no limit.
    pub max_intermediates: Option<usize>,
    pub signatures: &'a Signatures<'a>,
}

/// What the certificate in question is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Server,
    Client,
}

impl Purpose {
    /// RFC 5280 section 4.2.1.12.
    fn oid(self) -> &'static str {
        match self {
            Self::Server => "1.3.6.1.5.5.7.3.1",
            Self::Client => "1.3.6.1.5.5.7.3.2",
        }
    }
}

/// Of one below the anchor, on its own.
pub fn check_certificate(
    certificate: &Certificate<'_>,
    limits: &Limits<'_>,
) -> Result<(), Refusal> {
    check_dates(certificate, limits.now)?;
    check_encoding(certificate)?;
    check_purpose(certificate, limits.purpose)?;
    check_access_descriptions(certificate)?;
    check_profile(certificate)
}

/// Of a certificate that is its own anchor.
pub fn check_alone(certificate: &Certificate<'_>, limits: &Limits<'_>) -> Result<(), Refusal> {
    check_dates(certificate, limits.now)?;
    check_criticality(certificate)?;
    check_profile(certificate)?;
    check_purpose(certificate, limits.purpose)?;
    check_handshakes(certificate)
}

/// The certificate in question signs handshakes (RFC 8446 section 4.4.2.2, RFC 5246 sections 7.4.2 and 7.4.6).
pub fn check_handshakes(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    if certificate.may(KeyUsageBit::DigitalSignature) {
        return Ok(());
    }
    let name = certificate.display_name();
    Err(Refusal::new(
        Reason::Purpose,
        format!("{name} is not for TLS handshakes (keyUsage without digitalSignature)"),
    ))
}

/// Rules for public authorities. Private ones break them every day, and they protect nobody there.
pub fn check_public(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    check_serial(certificate)?;
    check_subject(certificate)
}

pub fn check_dates(certificate: &Certificate<'_>, now: &str) -> Result<(), Refusal> {
    let name = certificate.display_name();
    let (reason, what, when) = if now > certificate.not_after() {
        (Reason::Expired, "expired on", certificate.not_after())
    } else if now < certificate.not_before() {
        (
            Reason::NotYetValid,
            "is not valid before",
            certificate.not_before(),
        )
    } else {
        return Ok(());
    };
    let message = format!("{name} {what} {}", readable(when));
    Err(Refusal::new(reason, message))
}

pub fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Reason::Untrusted, message))
}

pub fn unreadable() -> Refusal {
    Refusal::new(
        Reason::Untrusted,
        "a certificate is not encoded as RFC 5280 wants it",
    )
}

/// Strictly, by webpki: DER, version 3, one algorithm inside and outside, no extension that is critical and unknown. Times have seconds (RFC 5280 section 4.1.2.5).
pub fn check_encoding(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let what = match EndEntityCert::try_from(&CertificateDer::from(certificate.der())) {
        _ if certificate.extensions().any(has_lax_boolean) => {
            "has an extension whose BOOLEAN is not DER (TRUE is FF, no other octet)"
        }
        Ok(_) if certificate.validity().all(has_seconds) => return Ok(()),
        Ok(_) => "has dates without seconds",
        Err(Error::UnsupportedCertVersion) => "is not of version 3",
        Err(Error::UnsupportedCriticalExtension) => "has a critical extension that is unknown here",
        Err(Error::SignatureAlgorithmMismatch) => {
            "names one signature algorithm inside and another outside"
        }
        Err(Error::MalformedExtensions | Error::ExtensionValueInvalid) => {
            "has an extension that is malformed, or twice the same"
        }
        Err(_) => "is not encoded as RFC 5280 wants it",
    };
    refuse(format!("{} {what}", certificate.display_name()))
}

/// To BER each octet but 0 is TRUE, and webpki refuses all but FF, some of them only in a path.
fn has_lax_boolean(extension: Extension<'_>) -> bool {
    let authority = || {
        let mut constraints = Elements::new(extension.value).expect(SEQUENCE)?.children();
        constraints.optional(BOOLEAN)
    };
    let is_lax = |it: Option<Element<'_>>| it.is_some_and(|it| !is_der_boolean(it));
    !extension.is_der
        || extension.is(ExtensionId::BasicConstraints) && authority().is_ok_and(is_lax)
}

fn has_seconds(time: Result<Element<'_>, Malformed>) -> bool {
    time.is_ok_and(|it| match it.tag {
        UTC_TIME => it.content.len() == "YYMMDDHHMMSSZ".len(),
        GENERALIZED_TIME => it.content.len() == "YYYYMMDDHHMMSSZ".len(),
        _ => false,
    })
}

pub fn check_purpose(certificate: &Certificate<'_>, purpose: Purpose) -> Result<(), Refusal> {
    let Some(purposes) = certificate.extended_key_usage() else {
        return Ok(());
    };
    if purposes.iter().any(|it| it == purpose.oid()) {
        return Ok(());
    }
    let name = certificate.display_name();
    let lacks = match purpose {
        Purpose::Server => "servers (extKeyUsage without serverAuth)",
        Purpose::Client => "clients (extKeyUsage without clientAuth)",
    };
    Err(Refusal::new(
        Reason::Purpose,
        format!("{name} is not for {lacks}"),
    ))
}

/// webpki does not look at what is critical in an anchor.
pub fn check_criticality(anchor: &Certificate<'_>) -> Result<(), Refusal> {
    let unknown = anchor
        .extensions()
        .any(|it| it.critical && !UNDERSTOOD.iter().any(|&known| it.is(known)));
    if unknown {
        let name = anchor.display_name();
        return refuse(format!(
            "{name} has a critical extension that is unknown here"
        ));
    }
    Ok(())
}

fn check_serial(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let positive = match certificate.serial_number() {
        [0, rest @ ..] => !rest.is_empty() && rest.len() <= MAX_SERIAL_OCTETS,
        [first, ..] => *first <= 0x7f && certificate.serial_number().len() <= MAX_SERIAL_OCTETS,
        [] => false,
    };
    if !positive {
        let name = certificate.display_name();
        return refuse(format!(
            "the serial number of {name} is no positive number of at most 20 octets"
        ));
    }
    Ok(())
}

/// RFC 5280 sections 4.1.2.6 and 4.2.1.6: an authority has a subject; of a certificate without one, the alternative names have to be
/// critical.
fn check_subject(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let is_lax = |it: Extension<'_>| it.is(ExtensionId::SubjectAltName) && !it.critical;
    let what = if !certificate.has_empty_subject() {
        return Ok(());
    } else if certificate.is_authority() {
        "no subject, as an authority needs it"
    } else if certificate.extensions().any(is_lax) {
        "neither a subject nor a subjectAltName that is critical; it needs one of both"
    } else {
        return Ok(());
    };
    let name = certificate.display_name();
    refuse(format!("the certificate for {name} has {what}"))
}

fn check_access_descriptions(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let mut extensions = certificate.extensions();
    if extensions
        .any(|it| it.is(ExtensionId::AuthorityInfoAccess) && access_descriptions(it.value).is_err())
    {
        let name = certificate.display_name();
        return refuse(format!("the authorityInfoAccess of {name} is malformed"));
    }
    Ok(())
}

/// A sequence of pairs of a method and a general name.
fn access_descriptions(value: &[u8]) -> Result<(), Malformed> {
    let mut input = Elements::new(value);
    let descriptions = input.expect(SEQUENCE)?;
    input.finish()?;
    for description in descriptions.children() {
        let description = description?;
        let mut fields = description.children();
        fields.expect(OBJECT_IDENTIFIER)?;
        fields.any()?;
        fields.finish()?;
    }
    Ok(())
}

pub fn check_profile(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let name = certificate.display_name();
    let kind = certificate.key_algorithm().unwrap_or_default();
    if !is_strong(&kind) {
        return refuse(format!("{name} has a weak or unsupported key ({kind})"));
    }
    check_values(certificate)?;
    let wrong = certificate.extensions().any(|it| {
        let identifier =
            it.is(ExtensionId::AuthorityKeyIdentifier) || it.is(ExtensionId::SubjectKeyIdentifier);
        identifier && it.critical || it.is(ExtensionId::PolicyConstraints) && !it.critical
    });
    if wrong {
        return refuse(format!(
            "{name} has an extension that is critical and must not be, or the other way round"
        ));
    }
    Ok(())
}

/// What webpki does not look at, or not in every certificate.
fn check_values(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let mut dates = [certificate.not_before(), certificate.not_after()].into_iter();
    let what = if has_extension_twice(certificate) {
        "has an extension twice"
    } else if !identifiers::are_readable(certificate) {
        "has a key identifier that is malformed"
    } else if !is_integer(certificate.serial_number()) {
        "has a serial number that is malformed"
    } else if !dates.all(has_day) {
        "has a date that is in no calendar"
    } else {
        return Ok(());
    };
    refuse(format!("{} {what}", certificate.display_name()))
}

/// RFC 5280 section 4.2: at most once.
fn has_extension_twice(certificate: &Certificate<'_>) -> bool {
    let mut oids: Vec<&[u8]> = certificate.extensions().map(|it| it.oid).collect();
    let count = oids.len();
    oids.sort_unstable();
    oids.dedup();
    oids.len() < count
}

/// DER: in as few octets as it takes.
fn is_integer(content: &[u8]) -> bool {
    match content {
        [] => false,
        [0, next, ..] => *next > 0x7f,
        [0xff, next, ..] => *next <= 0x7f,
        _ => true,
    }
}

fn is_strong(kind: &str) -> bool {
    let bits = kind
        .strip_prefix("RSA-")
        .or_else(|| kind.strip_prefix("RSASSA-PSS-"));
    match bits.map(str::parse::<u32>) {
        Some(bits) => bits.is_ok_and(|bits| bits >= MIN_RSA_BITS && bits % 8 == 0),
        None => matches!(
            kind,
            "ECDSA P-256" | "ECDSA P-384" | "ECDSA P-521" | "Ed25519"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_short_as_can_be() {
        for content in [&[0][..], &[0x7f], &[0, 0x80], &[0xff], &[0xff, 0x7f]] {
            assert!(is_integer(content), "{content:?}");
        }
        for content in [&[][..], &[0, 1], &[0, 0x7f], &[0xff, 0x80]] {
            assert!(!is_integer(content), "{content:?}");
        }
    }
}
