//! webpki's word on a path that was found here: no path is taken that it refuses, where it can judge.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{anchor_from_trusted_cert, EndEntityCert, KeyUsage};

use super::certificate_rules::{Limits, Purpose};
use super::refusal::{Reason, Refusal};
use super::signatures;
use crate::pki::certificate::Certificate;
use crate::pki::extension::ExtensionId;
use crate::pki::public_key::plain;
use crate::wire::Writer;

const UNIX_EPOCH: &str = "19700101000000Z";

/// Of a path with its anchor that is acceptable here.
pub fn check(path: &[Certificate<'_>], limits: &Limits<'_>) -> Result<(), Refusal> {
    if !is_in_scope(path) {
        return Ok(());
    }
    limits.signatures.spend(path.len())?;
    let question = Writer::default()
        .str(limits.now)
        .u8(limits.purpose as u8)
        .list(path.iter().map(Certificate::der))
        .finish();
    let find_out = || u8::from(is_accepted(path, limits).is_none());
    if limits.signatures.remember(&question, &find_out) == 0 {
        return Ok(());
    }
    let message = "the path of the certificate is refused by one of two verifications";
    Err(Refusal::new(Reason::Untrusted, message))
}

/// What webpki does not know, or takes otherwise: names that are equal but encoded otherwise, names other than hosts in constraints,
/// certificates that authorities issue to themselves, authorities in place of a server, dates before 1970, RSA keys without NULL.
fn is_in_scope(path: &[Certificate<'_>]) -> bool {
    let Some((own, issuers)) = path.split_first() else {
        return true;
    };
    let below_anchor = issuers.split_last().map_or(issuers, |(_, below)| below);
    let has_constraints =
        |it: &Certificate<'_>| it.extension(ExtensionId::NameConstraints).is_some();
    let is_older = |it: &Certificate<'_>| it.not_before() < UNIX_EPOCH;
    let is_plain = |it: &Certificate<'_>| plain(it.spki()).as_deref() == Some(it.spki());
    let mut links = path.iter().zip(issuers);
    !own.is_authority()
        && links.all(|(it, by)| it.issuer_element().content == by.subject_element().content)
        && !path.iter().any(is_older)
        && !below_anchor.iter().any(Certificate::is_self_issued)
        && !issuers.iter().any(has_constraints)
        && issuers.iter().all(is_plain)
}

/// The lists of revoked certificates are left out: each path is held to those here.
fn is_accepted(path: &[Certificate<'_>], limits: &Limits<'_>) -> Option<()> {
    let ders: Vec<_> = path
        .iter()
        .map(|it| CertificateDer::from(it.der()))
        .collect();
    let (anchor, below) = ders.split_last()?;
    let (own, intermediates) = below.split_first()?;
    let anchor = anchor_from_trusted_cert(anchor).ok()?;
    let usage = match limits.purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };
    let at = UnixTime::since_unix_epoch(Duration::from_secs(limits.at));
    EndEntityCert::try_from(own)
        .ok()?
        .verify_for_usage(
            signatures::supported().all,
            &[anchor],
            intermediates,
            at,
            usage,
            None,
            None,
        )
        .ok()
        .map(|_| ())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, Issuer, KeyPair,
        NameConstraints,
    };

    use super::*;
    use crate::host::{Answer, Host, QuestionKind};

    #[derive(Debug)]
    struct Forgetful;

    impl Host for Forgetful {
        fn ask(&self, _: QuestionKind, _: &[u8]) -> Answer {
            Answer::Pending
        }
    }

    fn authority(constraints: Option<NameConstraints>) -> (Vec<u8>, Issuer<'static, KeyPair>) {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.name_constraints = constraints;
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        (der, Issuer::new(params, key))
    }

    fn server(issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
        let params = CertificateParams::new(vec!["server.example".into()]).unwrap();
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, issuer).unwrap().der().to_vec()
    }

    fn confirmed(own: &[u8], anchor: &[u8]) -> bool {
        let path = [own, anchor].map(|it| Certificate::read(it).unwrap());
        let limits = Limits {
            at: 1_800_000_000,
            now: "20270115080000Z",
            purpose: Purpose::Server,
            max_intermediates: None,
            signatures: &signatures::Signatures::new(&Forgetful),
        };
        check(&path, &limits).is_ok()
    }

    #[test]
    fn refuses_what_webpki_refuses() {
        let (root, issuer) = authority(None);
        let (other_root, _) = authority(None);
        let own = server(&issuer);
        assert!(confirmed(&own, &root));
        assert!(!confirmed(&own, &other_root));
    }

    #[test]
    fn leaves_alone_what_webpki_cannot_judge() {
        let constraints = NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::Rfc822Name("example".into())],
            excluded_subtrees: vec![],
        };
        let (root, _) = authority(Some(constraints));
        let (_, issuer) = authority(None);
        assert!(confirmed(&server(&issuer), &root));
    }
}
