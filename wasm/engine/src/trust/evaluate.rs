//! The evaluation itself.

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::asn1_time;
pub use super::certificate_rules::Purpose;
use super::certificate_rules::{self, Limits};
use super::ocsp::{self, Staple};
use super::path::Search;
use super::pins::{self, Pins};
use super::policy::{Anchor, Policy, PolicySettings};
use super::refusal::{Reason, Refusal};
use super::signatures::Signatures;
use crate::host::Host;
use crate::pki::certificate::Certificate;
use crate::wire::{Malformed, Reader, Writer};

/// What is asked of a chain.
pub struct Demand<'a> {
    /// Absent: names are not looked at.
    pub name: Option<ServerName<'a>>,
    pub at: UnixTime,
    pub purpose: Purpose,
    /// A stapled OCSP response (RFC 6066 section 8); empty: none.
    pub staple: &'a [u8],
    pub pins: Pins,
    /// How many authorities may stand between the certificate in question and the anchor. `None`: as many as are tried at all.
    pub max_intermediates: Option<usize>,
    /// Remembers signatures.
    pub host: &'a dyn Host,
}

impl<'a> Demand<'a> {
    /// Host name (empty: none), seconds since 1970 (two u32, the low one first), purpose (u8: 0 server, 1 client), staple,
    /// [`Pins`], how many authorities may stand between it and the anchor (u8, 255: no limit).
    pub fn read(bytes: &'a [u8], host: &'a dyn Host) -> Result<Self, Malformed> {
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
            max_intermediates: match reader.u8()? {
                u8::MAX => None,
                limit => Some(usize::from(limit)),
            },
            host,
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
pub fn evaluate_encoded(bytes: &[u8], host: &dyn Host) -> Result<Evaluation, Malformed> {
    let mut reader = Reader::new(bytes);
    let settings = PolicySettings::read(reader.bytes()?)?;
    let chain: Vec<CertificateDer<'_>> = reader
        .list()?
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let demand = Demand::read(reader.bytes()?, host)?;
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
    let now = asn1_time::from_unix(demand.at.as_secs());
    let signatures = Signatures::new(demand.host);
    let limits = Limits {
        at: demand.at.as_secs(),
        now: &now,
        purpose: demand.purpose,
        max_intermediates: demand.max_intermediates,
        signatures: &signatures,
    };
    let found = match policy.anchor(own) {
        Some(anchor) => check_anchor(anchor, &limits).map(|()| vec![own.to_vec()]),
        None => Search::new(policy, &limits, others.iter().map(AsRef::as_ref)).run(own),
    };
    match found {
        Ok(path) => Evaluation {
            refusal: check_demand(demand, &path, &signatures).err(),
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

/// Of a server that shows an anchor as its own certificate (most sign their own), there is no path to verify.
fn check_anchor(anchor: &Anchor, limits: &Limits<'_>) -> Result<(), Refusal> {
    let certificate = Certificate::read(&anchor.der)
        .map_err(|_| Refusal::new(Reason::Malformed, "the certificate cannot be read"))?;
    certificate_rules::check_alone(&certificate, limits)?;
    if anchor.is_public {
        certificate_rules::check_public(&certificate)?;
    }
    Ok(())
}

/// What does not decide which of several paths is taken.
fn check_demand(
    demand: &Demand<'_>,
    path: &[Vec<u8>],
    signatures: &Signatures<'_>,
) -> Result<(), Refusal> {
    if let (Some(name), Some(own)) = (&demand.name, path.first()) {
        check_name(&CertificateDer::from(own.as_slice()), name)?;
    }
    if demand.purpose == Purpose::Server {
        ocsp::check(&Staple {
            response: demand.staple,
            path,
            at: demand.at.as_secs(),
            signatures,
        })?;
    }
    if demand.pins.allow(path.iter().map(Vec::as_slice)) {
        Ok(())
    } else {
        Err(pins::mismatch())
    }
}

/// One that is its own anchor may be of an encoding that webpki refuses: that is no matter of its names.
fn check_name(own: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Refusal> {
    let Ok(entity) = EndEntityCert::try_from(own) else {
        let certificate = Certificate::read(own).map_err(|_| certificate_rules::unreadable())?;
        certificate_rules::check_encoding(&certificate)?;
        return Err(wrong_name(own, name));
    };
    entity
        .verify_is_valid_for_subject_name(name)
        .map_err(|_| wrong_name(own, name))
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
