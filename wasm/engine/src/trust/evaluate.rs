//! The evaluation itself.

use std::cell::RefCell;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use super::asn1_time;
use super::ocsp::{self, Staple};
use super::path_rules;
use super::pins::{self, Pins};
use super::policy::{Policy, PolicySettings};
use super::refusal::{Reason, Refusal};
use super::signatures;
use crate::pki::certificate::Certificate;
use crate::wire::{Malformed, Reader, Writer};

/// RFC 5280 section 4.2.1.12.
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Server,
    Client,
}

/// What is asked of a chain.
pub struct Demand<'a> {
    /// Absent: names are not looked at.
    pub name: Option<ServerName<'a>>,
    pub at: UnixTime,
    pub purpose: Purpose,
    /// A stapled OCSP response (RFC 6066 section 8); empty: none.
    pub staple: &'a [u8],
    pub pins: Pins,
}

impl<'a> Demand<'a> {
    /// Host name (empty: none), seconds since 1970 (two u32, the low one first), purpose (u8: 0 server, 1 client), staple,
    /// [`Pins`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let name = match reader.str()? {
            "" => None,
            name => Some(ServerName::try_from(name).map_err(|_| Malformed)?),
        };
        let (low, high) = (reader.u32()?, reader.u32()?);
        let seconds = u64::from(high) << 32 | u64::from(low);
        let demand = Self {
            name,
            at: UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
            purpose: match reader.u8()? {
                0 => Purpose::Server,
                1 => Purpose::Client,
                _ => return Err(Malformed),
            },
            staple: reader.bytes()?,
            pins: Pins::read(reader.bytes()?)?,
        };
        reader.finish()?;
        Ok(demand)
    }
}

/// What an evaluation found.
#[derive(Debug)]
pub struct Evaluation {
    /// DER, from the server's own certificate to the anchor; empty when there is no path.
    pub path: Vec<Vec<u8>>,
    pub refusal: Option<Refusal>,
}

impl Evaluation {
    /// Reason (u8, 0: trusted), message, path (list of DER).
    pub fn write(&self) -> Vec<u8> {
        let (reason, message) = match &self.refusal {
            Some(refusal) => (refusal.reason as u8, refusal.message.as_str()),
            None => (0, ""),
        };
        Writer::default()
            .u8(reason)
            .str(message)
            .list(self.path.iter())
            .finish()
    }
}

/// Evaluates as it crosses the ABI: [`PolicySettings`], list of certificates (DER), [`Demand`].
pub fn evaluate_encoded(bytes: &[u8]) -> Result<Evaluation, Malformed> {
    let mut reader = Reader::new(bytes);
    let settings = PolicySettings::read(reader.bytes()?)?;
    let chain: Vec<CertificateDer<'_>> = reader
        .list()?
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let demand = Demand::read(reader.bytes()?)?;
    reader.finish()?;
    Ok(match Policy::new(&settings) {
        Ok(policy) => evaluate(&policy, &chain, &demand),
        Err(refusal) => refused(refusal),
    })
}

/// Evaluates a chain: the certificate in question first, then others in any order.
pub fn evaluate(policy: &Policy, chain: &[CertificateDer<'_>], demand: &Demand<'_>) -> Evaluation {
    let Some((own, others)) = chain.split_first() else {
        return refused(Refusal::new(Reason::Malformed, "there is no certificate"));
    };
    if demand.pins.replace_anchors() {
        return evaluate_key(own, demand);
    }
    let search = Search {
        policy,
        demand,
        crls: policy.crls(),
        now: asn1_time::from_unix(demand.at.as_secs()),
        refusal: RefCell::new(None),
    };
    let found = if policy.anchor_certificates.contains(own) {
        search.check_anchor(own).map(|()| vec![own.to_vec()])
    } else {
        search.run(own, others)
    };
    match found {
        Ok(path) => Evaluation {
            refusal: search.check_path(own, &path).err(),
            path,
        },
        Err(refusal) => refused(refusal),
    }
}

/// The key alone decides.
fn evaluate_key(own: &CertificateDer<'_>, demand: &Demand<'_>) -> Evaluation {
    let pinned = demand.pins.allow(std::iter::once(own.as_ref()));
    Evaluation {
        path: vec![own.to_vec()],
        refusal: (!pinned).then(pins::mismatch),
    }
}

fn refused(refusal: Refusal) -> Evaluation {
    Evaluation {
        path: Vec::new(),
        refusal: Some(refusal),
    }
}

struct Search<'a> {
    policy: &'a Policy,
    demand: &'a Demand<'a>,
    crls: Vec<CertRevocationList<'a>>,
    /// YYYYMMDDHHMMSSZ
    now: String,
    /// Why the last path that webpki would have taken was not.
    refusal: RefCell<Option<Refusal>>,
}

impl Search<'_> {
    /// Of a server that shows an anchor as its own certificate (most sign their own), there is no path to verify.
    fn check_anchor(&self, own: &CertificateDer<'_>) -> Result<(), Refusal> {
        let certificate = Certificate::read(own)
            .map_err(|_| Refusal::new(Reason::Malformed, "the certificate cannot be read"))?;
        path_rules::check_alone(&certificate, &self.now)?;
        let wanted = match self.demand.purpose {
            Purpose::Server => SERVER_AUTH,
            Purpose::Client => CLIENT_AUTH,
        };
        match certificate.extended_key_usage() {
            Some(purposes) if !purposes.iter().any(|it| it == wanted) => {
                Err(Refusal::new(Reason::Purpose, self.wrong_purpose()))
            }
            _ => Ok(()),
        }
    }

    fn run(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let chain: Vec<&[u8]> = std::iter::once(own)
            .chain(others)
            .map(|it| it.as_ref())
            .collect();
        let explain = |error: Error| match self.refusal.take() {
            Some(refusal) => refusal,
            None => self.explain(&error, &chain),
        };
        let end_entity = EndEntityCert::try_from(own).map_err(explain)?;
        let usage = match self.demand.purpose {
            Purpose::Server => KeyUsage::server_auth(),
            Purpose::Client => KeyUsage::client_auth(),
        };
        let crls: Vec<&CertRevocationList<'_>> = self.crls.iter().collect();
        let path = end_entity
            .verify_for_usage(
                signatures::supported().all,
                &self.policy.anchors,
                others,
                self.demand.at,
                usage,
                revocation(&crls),
                Some(&|path| self.accept(path)),
            )
            .map_err(explain)?;
        Ok(self.ders(&path))
    }

    /// Called for each path that webpki has verified; after an error it looks for another.
    fn accept(&self, path: &VerifiedPath<'_>) -> Result<(), Error> {
        let ders = self.ders(path);
        let certificates: Result<Vec<_>, _> =
            ders.iter().map(|der| Certificate::read(der)).collect();
        let checked = match certificates {
            Ok(certificates) => path_rules::check(&certificates, &self.now)
                .and_then(|()| self.check_lists(&certificates)),
            Err(_) => Err(Refusal::new(
                Reason::Malformed,
                "a certificate of the path cannot be read",
            )),
        };
        checked.map_err(|refusal| {
            self.refusal.replace(Some(refusal));
            Error::UnknownIssuer
        })
    }

    fn check_lists(&self, path: &[Certificate<'_>]) -> Result<(), Refusal> {
        let Some(anchor) = path.last() else {
            return Ok(());
        };
        let has_list = |it: &CertRevocationList<'_>| anchor.subject().ends_with(it.issuer());
        if self.crls.iter().any(has_list) {
            path_rules::check_list_issuer(anchor)
        } else {
            Ok(())
        }
    }

    fn ders(&self, path: &VerifiedPath<'_>) -> Vec<Vec<u8>> {
        let anchor = path.anchor();
        let mut anchors = self.policy.anchors.iter();
        let at = anchors.position(|it| std::ptr::eq(it, anchor));
        let mut ders = vec![path.end_entity().der().to_vec()];
        ders.extend(path.intermediate_certificates().map(|it| it.der().to_vec()));
        let anchor = at.and_then(|at| self.policy.anchor_certificates.get(at));
        ders.extend(anchor.map(|it| it.to_vec()));
        ders
    }

    /// What does not decide which of several paths is taken.
    fn check_path(&self, own: &CertificateDer<'_>, path: &[Vec<u8>]) -> Result<(), Refusal> {
        if let Some(name) = &self.demand.name {
            let fits = EndEntityCert::try_from(own)
                .and_then(|it| it.verify_is_valid_for_subject_name(name));
            fits.map_err(|_| wrong_name(own, name))?;
        }
        if self.demand.purpose == Purpose::Server {
            ocsp::check(&Staple {
                response: self.demand.staple,
                path,
                at: self.demand.at.as_secs(),
            })?;
        }
        if self.demand.pins.allow(path.iter().map(Vec::as_slice)) {
            Ok(())
        } else {
            Err(pins::mismatch())
        }
    }

    fn explain(&self, error: &Error, chain: &[&[u8]]) -> Refusal {
        let (reason, message) = match error {
            Error::CertExpired { .. } | Error::CertNotValidYet { .. } => {
                return self.out_of_date(chain);
            }
            Error::InvalidCertValidity => (
                Reason::Untrusted,
                "a certificate ends before it begins".into(),
            ),
            Error::CertRevoked => (
                Reason::Revoked,
                "a given revocation list has a certificate of the path".into(),
            ),
            Error::CrlExpired { .. } => (
                Reason::RevocationUnknown,
                "the revocation list for a certificate of the path is out of date".into(),
            ),
            Error::UnknownRevocationStatus
            | Error::IssuerNotCrlSigner
            | Error::InvalidCrlSignatureForPublicKey
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => (
                Reason::RevocationUnknown,
                "a revocation list is not signed by the issuer as it must be".into(),
            ),
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                (Reason::Purpose, self.wrong_purpose().into())
            }
            Error::UnknownIssuer => (Reason::Untrusted, unknown_issuer(chain)),
            other => (Reason::Untrusted, describe(other).into()),
        };
        Refusal { reason, message }
    }

    fn out_of_date(&self, chain: &[&[u8]]) -> Refusal {
        let read = chain.iter().filter_map(|der| Certificate::read(der).ok());
        let dated = read.map(|it| path_rules::check_dates(&it, &self.now));
        dated.filter_map(Result::err).next().unwrap_or_else(|| {
            Refusal::new(Reason::Expired, "a certificate of the path is out of date")
        })
    }

    fn wrong_purpose(&self) -> &'static str {
        match self.demand.purpose {
            Purpose::Server => {
                "a certificate of the path is not for servers (extKeyUsage without serverAuth)"
            }
            Purpose::Client => {
                "a certificate of the path is not for clients (extKeyUsage without clientAuth)"
            }
        }
    }
}

/// Of whom there is no list, nothing is known and nothing held against; a list that is out of date says nothing good.
fn revocation<'a>(crls: &'a [&'a CertRevocationList<'a>]) -> Option<RevocationOptions<'a>> {
    let builder = RevocationOptionsBuilder::new(crls).ok()?;
    Some(
        builder
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Allow)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build(),
    )
}

fn wrong_name(own: &CertificateDer<'_>, name: &ServerName<'_>) -> Refusal {
    let wanted = name.to_str();
    let Ok(certificate) = Certificate::read(own) else {
        return Refusal::new(Reason::Name, format!("it is not for {wanted}"));
    };
    let names = certificate.subject_alt_names();
    let message = if names.is_empty() {
        format!(
            "{} has only a common name, which nobody looks at any more; it needs a subjectAltName for {wanted}",
            certificate.display_name()
        )
    } else {
        format!("it is for {}, not for {wanted}", names.join(", "))
    };
    Refusal::new(Reason::Name, message)
}

fn unknown_issuer(chain: &[&[u8]]) -> String {
    let last = chain.last().and_then(|der| Certificate::read(der).ok());
    match last {
        Some(last) => format!(
            "it leads to none of the trust anchors (option trust.anchors); the last issuer named is {}",
            last.issuer_name()
        ),
        None => "it leads to none of the trust anchors (option trust.anchors)".into(),
    }
}

fn describe(error: &Error) -> &'static str {
    match error {
        Error::CaUsedAsEndEntity => {
            "it is the certificate of an authority (basicConstraints CA:TRUE), which cannot stand for a server or client"
        }
        Error::EndEntityUsedAsCa => {
            "a certificate that is no authority's (basicConstraints) has issued another"
        }
        Error::CertDistrusted => "the authority is distrusted by everyone",
        Error::InvalidSignatureForPublicKey => {
            "the signature of a certificate is not that of its issuer"
        }
        Error::NameConstraintViolation => {
            "a name in it is outside of what its issuers may certify (nameConstraints)"
        }
        Error::PathLenConstraintViolated => {
            "more authorities follow each other than one of them allows (path length)"
        }
        Error::UnsupportedCriticalExtension => {
            "a certificate has a critical extension that is unknown here"
        }
        Error::UnsupportedCertVersion => "a certificate is not of version 3",
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate is signed with a weak or unsupported algorithm or key"
        }
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => "the chain is too complicated to be honest",
        Error::SignatureAlgorithmMismatch => {
            "a certificate names one signature algorithm inside and another outside"
        }
        Error::MalformedExtensions | Error::ExtensionValueInvalid => {
            "an extension of a certificate is malformed"
        }
        Error::MalformedNameConstraint | Error::InvalidNetworkMaskConstraint => {
            "a name constraint of an issuer is malformed"
        }
        Error::MalformedDnsIdentifier => "a DNS name in a certificate is malformed",
        _ => "a certificate is not encoded as RFC 5280 wants it",
    }
}
