//! What the certificates of a path must be to each other (RFC 5280 section 6.1).

use super::certificate_rules::{
    check_criticality, check_dates, check_profile, check_purpose, refuse, Limits,
};
use super::identifiers;
use super::refusal::Refusal;
use crate::pki::certificate::{Certificate, KeyUsageBit};
use crate::pki::der::{Elements, SEQUENCE};
use crate::pki::extension::{Extension, ExtensionId};

/// Of a path whose signatures are verified, the certificate in question first and the anchor last. Those below the anchor have
/// passed [`super::certificate_rules::check_certificate`].
pub fn check_path(path: &[Certificate<'_>], limits: &Limits<'_>) -> Result<(), Refusal> {
    let (Some(own), Some((anchor, below_anchor))) = (path.first(), path.split_last()) else {
        return refuse("the path is empty");
    };
    check_dates(anchor, limits.now)?;
    check_own(own)?;
    for (at, issuer) in path.iter().enumerate().skip(1) {
        check_issuer(issuer, authorities(path.get(..at).unwrap_or_default()))?;
    }
    for issuer in below_anchor.iter().skip(1) {
        check_authority(issuer)?;
    }
    check_length(below_anchor, limits)?;
    check_criticality(anchor)?;
    check_purpose(anchor, limits.purpose)?;
    identifiers::check_anchor(anchor, limits.signatures)?;
    check_profile(anchor)
}

/// It may be an authority's (RFC 5280 section 4.2.1.9).
fn check_own(own: &Certificate<'_>) -> Result<(), Refusal> {
    if own.is_authority() {
        return if own.may(KeyUsageBit::KeyCertSign) {
            Ok(())
        } else {
            refuse("it is the certificate of an authority (basicConstraints CA:TRUE) by whose key usage it is none")
        };
    }
    if own.key_usage().is_some() && own.may(KeyUsageBit::KeyCertSign) {
        return refuse("its key usage has keyCertSign, but it is no certificate authority");
    }
    if own.extension(ExtensionId::NameConstraints).is_some() {
        return refuse("it has name constraints, which are for certificate authorities");
    }
    Ok(())
}

/// Of those that stand below an issuer, the certificate in question first: those that a path length counts.
fn authorities(below: &[Certificate<'_>]) -> usize {
    let intermediates = below.iter().skip(1);
    intermediates.filter(|it| !it.is_self_issued()).count()
}

fn check_length(below_anchor: &[Certificate<'_>], limits: &Limits<'_>) -> Result<(), Refusal> {
    let count = authorities(below_anchor);
    match limits.max_intermediates {
        Some(limit) if count > limit => refuse(format!(
            "{count} authorities stand between it and the anchor, and {limit} may (maxChainLength)"
        )),
        _ => Ok(()),
    }
}

/// An anchor of version 1, which has no extensions, may issue; others have to say that they are authorities.
fn check_authority(issuer: &Certificate<'_>) -> Result<(), Refusal> {
    if issuer.is_authority() {
        return Ok(());
    }
    let name = issuer.display_name();
    refuse(format!(
        "{name} may not issue certificates: it is no certificate authority (basicConstraints)"
    ))
}

/// `below`: how many authorities stand between this issuer and the certificate in question.
fn check_issuer(issuer: &Certificate<'_>, below: usize) -> Result<(), Refusal> {
    if !issuer.is_version_1() {
        check_authority(issuer)?;
    }
    let what = if !issuer.may(KeyUsageBit::KeyCertSign) {
        "its key usage lacks keyCertSign"
    } else if issuer.path_length().is_some_and(|limit| below > limit) {
        "more authorities follow than its path length allows"
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
    extension.is(ExtensionId::NameConstraints)
        && subtrees().is_some_and(|mut it| it.all(|it| it.is_ok_and(|it| it.content.is_empty())))
}
