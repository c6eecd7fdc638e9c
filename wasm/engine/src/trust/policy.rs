//! Whom to trust: anchors and revocation lists, read once.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::anchor_from_trusted_cert;

use super::refusal::{Reason, Refusal};
use super::revocation::RevocationList;
use crate::pki::certificate::Certificate;
use crate::wire::{Malformed, Reader};

#[derive(Debug, Default)]
pub struct Policy {
    anchors: Vec<Anchor>,
    /// The newest first.
    lists: Vec<RevocationList>,
}

#[derive(Debug)]
struct Anchor {
    der: Vec<u8>,
    /// DER, as the certificates that it issues name it.
    subject: Vec<u8>,
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
        let anchors = settings.anchors.iter().map(|der| Anchor::new(der));
        let mut policy = Self {
            anchors: anchors.collect::<Result<_, _>>()?,
            lists: Vec::new(),
        };
        for der in &settings.crls {
            policy.add_list(RevocationList::new(der)?);
        }
        Ok(Arc::new(policy))
    }

    fn add_list(&mut self, list: RevocationList) {
        let older = self.lists.iter().position(|it| it.is_older_than(&list));
        self.lists.insert(older.unwrap_or(self.lists.len()), list);
    }

    /// The anchors with a subject, DER.
    pub(super) fn anchors_named<'a>(
        &'a self,
        subject: &'a [u8],
    ) -> impl Iterator<Item = Certificate<'a>> {
        let named = self.anchors.iter().filter(move |it| it.subject == subject);
        named.filter_map(|it| Certificate::read(&it.der).ok())
    }

    pub(super) fn is_anchor(&self, der: &[u8]) -> bool {
        self.anchors.iter().any(|it| it.der == der)
    }

    pub(super) fn lists(&self) -> &[RevocationList] {
        &self.lists
    }
}

impl Anchor {
    fn new(der: &[u8]) -> Result<Self, Refusal> {
        let unusable = || {
            Refusal::new(
                Reason::Malformed,
                "a trust anchor is not a usable certificate",
            )
        };
        anchor_from_trusted_cert(&CertificateDer::from(der)).map_err(|_| unusable())?;
        let certificate = Certificate::read(der).map_err(|_| unusable())?;
        Ok(Self {
            subject: certificate.subject().to_vec(),
            der: der.to_vec(),
        })
    }
}
