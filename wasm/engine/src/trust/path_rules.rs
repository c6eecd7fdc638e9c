//! What each certificate of a path must be besides what webpki verifies.

use super::asn1_time::readable;
use super::refusal::{Reason, Refusal};
use crate::pki::certificate::Certificate;

/// Bits of keyUsage (RFC 5280 section 4.2.1.3).
const KEY_CERT_SIGN: u16 = 1 << 5;

/// Of a path whose signatures are verified, the server's own certificate first and the anchor last. `now` is YYYYMMDDHHMMSSZ.
pub fn check(path: &[Certificate<'_>], now: &str) -> Result<(), Refusal> {
    let (Some(own), Some((anchor, _))) = (path.first(), path.split_last()) else {
        return Err(Refusal::new(Reason::Untrusted, "the path is empty"));
    };
    check_dates(anchor, now)?;
    check_key(own)?;
    for (below, issuer) in path.iter().skip(1).enumerate() {
        check_issuer(issuer, below)?;
    }
    Ok(())
}

pub fn check_dates(certificate: &Certificate<'_>, now: &str) -> Result<(), Refusal> {
    let name = certificate.display_name();
    if now > certificate.not_after() {
        let when = readable(certificate.not_after());
        return Err(Refusal::new(
            Reason::Expired,
            format!("{name} expired on {when}"),
        ));
    }
    if now < certificate.not_before() {
        let when = readable(certificate.not_before());
        return Err(Refusal::new(
            Reason::NotYetValid,
            format!("{name} is valid from {when} on"),
        ));
    }
    Ok(())
}

/// A key that signs well enough for a path but not for a server: webpki looks at keys only where they verify something.
fn check_key(certificate: &Certificate<'_>) -> Result<(), Refusal> {
    let name = certificate.display_name();
    let kind = certificate.key_algorithm().unwrap_or_default();
    let strong = match kind.split_once('-') {
        Some(("RSA" | "RSASSA-PSS" | "RSASSA", bits)) => {
            let bits = bits.rsplit('-').next().unwrap_or_default();
            bits.parse().is_ok_and(|bits: u32| bits >= 2048)
        }
        _ => matches!(
            kind.as_str(),
            "ECDSA P-256" | "ECDSA P-384" | "ECDSA P-521" | "Ed25519"
        ),
    };
    if strong {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::Untrusted,
        format!("{name} has a weak or unsupported key ({kind})"),
    ))
}

/// `below`: how many certificates stand between this issuer and the server's own, that is, one less than its place in the path.
fn check_issuer(issuer: &Certificate<'_>, below: usize) -> Result<(), Refusal> {
    let name = issuer.display_name();
    let refuse = |what: &str| {
        Err(Refusal::new(
            Reason::Untrusted,
            format!("{name} may not issue certificates: {what}"),
        ))
    };
    if issuer.has_extensions() && !issuer.is_authority() {
        return refuse("it is no certificate authority (basicConstraints)");
    }
    if issuer
        .key_usage()
        .is_some_and(|usage| usage & KEY_CERT_SIGN == 0)
    {
        return refuse("its key usage lacks keyCertSign");
    }
    if issuer.path_length().is_some_and(|limit| below > limit) {
        return refuse("more certificates follow than its path length allows");
    }
    Ok(())
}
