//! Whom to trust: anchors and revocation lists, read once.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use webpki::anchor_from_trusted_cert;

use super::refusal::{Reason, Refusal};
use super::revocation::RevocationList;
use crate::pki::certificate::Certificate;
use crate::pki::name::NameId;
use crate::wire::{Malformed, Reader};

#[derive(Debug, Default)]
pub struct Policy {
    anchors: Vec<Anchor>,
    /// The newest first.
    lists: Vec<RevocationList>,
}

#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) der: Vec<u8>,
    subject: NameId,
    pub(super) is_public: bool,
}

/// The policy as it crosses the ABI.
pub struct PolicySettings<'a> {
    /// DER certificates.
    anchors: Vec<&'a [u8]>,
    /// DER certificate revocation lists.
    crls: Vec<&'a [u8]>,
    /// DER certificates of public authorities: the chains to them are held to more.
    public_anchors: Vec<&'a [u8]>,
}

impl<'a> PolicySettings<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let settings = Self {
            anchors: reader.list()?,
            crls: reader.list()?,
            public_anchors: reader.list()?,
        };
        reader.finish()?;
        Ok(settings)
    }
}

impl Policy {
    pub fn new(settings: &PolicySettings<'_>) -> Result<Arc<Self>, Refusal> {
        let mut policy = Self::default();
        for (ders, is_public) in [(&settings.anchors, false), (&settings.public_anchors, true)] {
            for der in ders {
                policy.anchors.push(Anchor::new(der, is_public)?);
            }
        }
        for der in &settings.crls {
            policy.add_list(RevocationList::new(der)?);
        }
        Ok(Arc::new(policy))
    }

    fn add_list(&mut self, list: RevocationList) {
        let older = self.lists.iter().position(|it| it.is_older_than(&list));
        self.lists.insert(older.unwrap_or(self.lists.len()), list);
    }

    pub(super) fn anchors_named(&self, subject: NameId) -> impl Iterator<Item = &Anchor> {
        self.anchors.iter().filter(move |it| it.subject == subject)
    }

    pub(super) fn anchor(&self, der: &[u8]) -> Option<&Anchor> {
        self.anchors.iter().find(|it| it.der == der)
    }

    pub(super) fn lists(&self) -> &[RevocationList] {
        &self.lists
    }
}

impl Anchor {
    fn new(der: &[u8], is_public: bool) -> Result<Self, Refusal> {
        let unusable = || {
            Refusal::new(
                Reason::Malformed,
                "a trust anchor is not a usable certificate",
            )
        };
        anchor_from_trusted_cert(&CertificateDer::from(der)).map_err(|_| unusable())?;
        let certificate = Certificate::read(der).map_err(|_| unusable())?;
        Ok(Self {
            subject: certificate.subject(),
            der: der.to_vec(),
            is_public,
        })
    }
}
