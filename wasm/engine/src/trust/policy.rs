//! Whom to trust: anchors and revocation lists, read once.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::{anchor_from_trusted_cert, CertRevocationList, Error, OwnedCertRevocationList};

use super::refusal::{Reason, Refusal};
use crate::pki::der::{Elements, BIT_STRING, INTEGER, SEQUENCE};
use crate::wire::{Malformed, Reader};

#[derive(Debug, Default)]
pub struct Policy {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Those that the anchors were read from, in the same order.
    pub(super) anchor_certificates: Vec<CertificateDer<'static>>,
    /// The newest first: of several for the same certificates webpki takes the first.
    pub(super) crls: Vec<CertRevocationList<'static>>,
}

/// The policy as it crosses the ABI.
pub struct PolicySettings<'a> {
    /// DER certificates.
    anchors: Vec<&'a [u8]>,
    /// DER certificate revocation lists.
    crls: Vec<&'a [u8]>,
}

impl<'a> PolicySettings<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let settings = Self {
            anchors: reader.list()?,
            crls: reader.list()?,
        };
        reader.finish()?;
        Ok(settings)
    }
}

impl Policy {
    pub fn new(settings: &PolicySettings<'_>) -> Result<Arc<Self>, Refusal> {
        let mut policy = Self::default();
        for der in &settings.anchors {
            policy.add_anchor(der)?;
        }
        let mut dated: Vec<(String, CertRevocationList<'static>)> = settings
            .crls
            .iter()
            .map(|der| read_crl(der))
            .collect::<Result<_, _>>()?;
        dated.sort_by(|a, b| b.0.cmp(&a.0));
        policy.crls = dated.into_iter().map(|(_, crl)| crl).collect();
        Ok(Arc::new(policy))
    }

    fn add_anchor(&mut self, der: &[u8]) -> Result<(), Refusal> {
        let certificate = CertificateDer::from(der.to_vec());
        let anchor = anchor_from_trusted_cert(&certificate)
            .map_err(|_| {
                Refusal::new(
                    Reason::Malformed,
                    "a trust anchor is not a usable certificate",
                )
            })?
            .to_owned();
        self.anchors.push(anchor);
        self.anchor_certificates.push(certificate);
        Ok(())
    }
}

/// With the time of its issue.
fn read_crl(der: &[u8]) -> Result<(String, CertRevocationList<'static>), Refusal> {
    let unusable = |why: &str| {
        let message = format!("a certificate revocation list cannot be used: {why}");
        Refusal::new(Reason::Malformed, message)
    };
    let crl = OwnedCertRevocationList::from_der(der).map_err(|error| {
        unusable(match error {
            Error::UnsupportedCrlVersion => "it is not of version 2",
            Error::UnsupportedDeltaCrl => "it is a delta list",
            Error::UnsupportedIndirectCrl => "it is an indirect list",
            Error::UnsupportedCriticalExtension => {
                "it has a critical extension that is unknown here"
            }
            _ => "it is not encoded as RFC 5280 wants it",
        })
    })?;
    let issued = this_update(der).map_err(|_| unusable("its date cannot be read"))?;
    Ok((issued, CertRevocationList::Owned(crl)))
}

/// RFC 5280 section 5.1.2.4.
fn this_update(der: &[u8]) -> Result<String, crate::pki::der::Malformed> {
    let mut outer = Elements::new(der).expect(SEQUENCE)?.children();
    let mut fields = outer.expect(SEQUENCE)?.children();
    fields.optional(INTEGER)?;
    fields.expect(SEQUENCE)?;
    fields.expect(SEQUENCE)?;
    let issued = crate::pki::certificate::time(fields.any()?)?;
    outer.expect(SEQUENCE)?;
    outer.expect(BIT_STRING)?;
    Ok(issued)
}
