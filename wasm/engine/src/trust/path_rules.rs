//! What each certificate of a path must be besides what webpki verifies.

use super::asn1_time::readable;
use super::refusal::{Reason, Refusal};
use crate::pki::certificate::{Certificate, Extension};
use crate::pki::der::{Elements, SEQUENCE};

/// Bits of keyUsage (RFC 5280 section 4.2.1.3).
const KEY_CERT_SIGN: u16 = 1 << 5;
const CRL_SIGN: u16 = 1 << 6;

/// RFC 5280 section 4.1.2.2.
const MAX_SERIAL_OCTETS: usize = 20;
const MIN_RSA_BITS: u32 = 2048;

/// Last octets of the extensions of RFC 5280 section 4.2.1, id-ce and one octet.
const SUBJECT_KEY_IDENTIFIER: u8 = 14;
const NAME_CONSTRAINTS: u8 = 30;
const AUTHORITY_KEY_IDENTIFIER: u8 = 35;
const POLICY_CONSTRAINTS: u8 = 36;
/// Those that are understood here, or that change nothing here: they may be critical.
const UNDERSTOOD: [u8; 9] = [15, 17, 19, 30, 31, 32, 33, 36, 37];

/// Of a path whose signatures are verified, the server's own certificate first and the anchor last. `now` is YYYYMMDDHHMMSSZ.
pub fn check(path: &[Certificate<'_>], now: &str) -> Result<(), Refusal> {
    let (Some(own), Some((anchor, below_anchor))) = (path.first(), path.split_last()) else {
        return refuse("the path is empty");
    };
    check_dates(anchor, now)?;
    check_own(own)?;
    for (below, issuer) in path.iter().skip(1).enumerate() {
        check_issuer(issuer, below)?;
    }
    check_criticality(anchor)?;
    for certificate in below_anchor {
        check_serial(certificate)?;
    }
    path.iter().try_for_each(check_profile)
}

/// Of a certificate that is its own anchor.
pub fn check_alone(certificate: &Certificate<'_>, now: &str) -> Result<(), Refusal> {
    check_dates(certificate, now)?;
    check_criticality(certificate)?;
    let negative = certificate
        .serial_number()
        .first()
        .is_some_and(|it| *it > 0x7f);
    if negative {
        return refuse("its serial number is negative");
    }
    check_profile(certificate)
}

/// Whether an anchor that has a revocation list may sign one. webpki asks that of all other issuers.
pub fn check_list_issuer(anchor: &Certificate<'_>) -> Result<(), Refusal> {
    match anchor.key_usage() {
        Some(usage) if usage & CRL_SIGN == 0 => Err(Refusal::new(
            Reason::RevocationUnknown,
            format!(
                "{} may not sign revocation lists: its key usage lacks cRLSign",
                anchor.display_name()
            ),
        )),
        _ => Ok(()),
    }
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

fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Reason::Untrusted, message))
}

fn check_own(own: &Certificate<'_>) -> Result<(), Refusal> {
    let signs = own.key_usage().is_some_and(|it| it & KEY_CERT_SIGN != 0);
    if signs && !own.is_authority() {
        return refuse("its key usage has keyCertSign, but it is no certificate authority");
    }
    if own.extensions().any(|it| is_ce(&it, NAME_CONSTRAINTS)) {
        return refuse("it has name constraints, which are for certificate authorities");
    }
    Ok(())
}

/// `below`: how many certificates stand between this issuer and the server's own.
fn check_issuer(issuer: &Certificate<'_>, below: usize) -> Result<(), Refusal> {
    let usage = issuer.key_usage();
    let what = if issuer.has_extensions() && !issuer.is_authority() {
        "it is no certificate authority (basicConstraints)"
    } else if usage.is_some_and(|it| it & KEY_CERT_SIGN == 0) {
        "its key usage lacks keyCertSign"
    } else if issuer.path_length().is_some_and(|limit| below > limit) {
        "more authorities follow than its path length allows"
    } else if issuer.has_empty_subject() {
        "its subject is empty"
    } else if issuer.extensions().any(|it| constrains_nothing(&it)) {
        "its name constraints are empty"
    } else {
        return Ok(());
    };
    let name = issuer.display_name();
    refuse(format!("{name} may not issue certificates: {what}"))
}

/// RFC 5280 section 4.2.1.10: nameConstraints must not be an empty sequence.
fn constrains_nothing(extension: &Extension<'_>) -> bool {
    let subtrees = || {
        Some(
            Elements::new(extension.value)
                .expect(SEQUENCE)
                .ok()?
                .children(),
        )
    };
    is_ce(extension, NAME_CONSTRAINTS)
        && subtrees().is_some_and(|mut it| it.all(|it| it.is_ok_and(|it| it.content.is_empty())))
}

/// webpki does not look at what is critical in an anchor.
fn check_criticality(anchor: &Certificate<'_>) -> Result<(), Refusal> {
    let unknown = anchor
        .extensions()
        .any(|it| it.critical && !UNDERSTOOD.iter().any(|&known| is_ce(&it, known)));
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

fn check_profile(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let name = certificate.display_name();
    let kind = certificate.key_algorithm().unwrap_or_default();
    if !is_strong(&kind) {
        return refuse(format!("{name} has a weak or unsupported key ({kind})"));
    }
    let wrong = certificate.extensions().any(|it| {
        let identifier = is_ce(&it, AUTHORITY_KEY_IDENTIFIER) || is_ce(&it, SUBJECT_KEY_IDENTIFIER);
        identifier && it.critical || is_ce(&it, POLICY_CONSTRAINTS) && !it.critical
    });
    if wrong {
        return refuse(format!(
            "{name} has an extension that is critical and must not be, or the other way round"
        ));
    }
    Ok(())
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

fn is_ce(extension: &Extension<'_>, last: u8) -> bool {
    extension.oid == [0x55, 0x1d, last]
}
