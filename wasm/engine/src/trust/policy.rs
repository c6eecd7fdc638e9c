//! Whom to trust: anchors and revocation lists, read once.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::{anchor_from_trusted_cert, BorrowedCertRevocationList, CertRevocationList, Error};

use super::refusal::{Reason, Refusal};
use crate::pki::certificate::{self, Extension};
use crate::pki::der::{self, Elements, INTEGER, SEQUENCE};
use crate::wire::{Malformed, Reader};

const EXTENSIONS: u8 = 0xa0;
const CRL_NUMBER: [u8; 3] = [0x55, 0x1d, 20];

#[derive(Debug, Default)]
pub struct Policy {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    /// Those that the anchors were read from, in the same order.
    pub(super) anchor_certificates: Vec<CertificateDer<'static>>,
    crls: Vec<DatedList>,
}

#[derive(Debug)]
struct DatedList {
    /// YYYYMMDDHHMMSSZ
    issued: String,
    der: Vec<u8>,
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
        for der in &settings.crls {
            policy.add_crl(der)?;
        }
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

    fn add_crl(&mut self, der: &[u8]) -> Result<(), Refusal> {
        let unusable = |why: &str| {
            let message = format!("a certificate revocation list cannot be used: {why}");
            Refusal::new(Reason::Malformed, message)
        };
        BorrowedCertRevocationList::from_der(der).map_err(|error| {
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
        let issued = this_update(der)
            .map_err(|_| unusable("its date cannot be read, or its number is critical"))?;
        let older = self.crls.iter().position(|it| it.issued < issued);
        let der = der.to_vec();
        self.crls
            .insert(older.unwrap_or(self.crls.len()), DatedList { issued, der });
        Ok(())
    }

    /// The revocation lists, the newest first: of several for the same certificates webpki takes the first.
    pub(super) fn crls(&self) -> Vec<CertRevocationList<'_>> {
        self.crls
            .iter()
            .filter_map(|it| BorrowedCertRevocationList::from_der(&it.der).ok())
            .map(Into::into)
            .collect()
    }
}

/// RFC 5280 section 5.1.2.4. Fails where the number is critical, which it must not be (section 5.2.3).
fn this_update(der: &[u8]) -> Result<String, der::Malformed> {
    let mut outer = Elements::new(der).expect(SEQUENCE)?.children();
    let mut fields = outer.expect(SEQUENCE)?.children();
    fields.optional(INTEGER)?;
    fields.expect(SEQUENCE)?;
    fields.expect(SEQUENCE)?;
    let issued = certificate::time(fields.any()?)?;
    let extensions = fields.flatten().find(|it| it.tag == EXTENSIONS);
    if let Some(extensions) = extensions {
        for extension in extensions.children().expect(SEQUENCE)?.children() {
            let extension = Extension::read(extension?)?;
            if extension.critical && extension.oid == CRL_NUMBER {
                return Err(der::Malformed);
            }
        }
    }
    Ok(issued)
}
