//! Pins: SHA-256 of the SubjectPublicKeyInfo of certificates that a path must hold (RFC 7469 section 2.4).

use sha2::{Digest, Sha256};

use super::refusal::{Reason, Refusal};
use crate::pki::certificate::Certificate;
use crate::wire::{Malformed, Reader};

/// The pins of one host; none: any key will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    sha256: Vec<[u8; 32]>,
    /// The server's own key is all that counts: no anchor, name or date (as in RFC 7671 section 5.1).
    replace_anchors: bool,
}

impl Pins {
    /// Whether they replace anchors (u8), list of digests.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let replace_anchors = reader.u8()? != 0;
        let digests = reader.list()?.into_iter();
        let sha256 = digests
            .map(|digest| digest.try_into().map_err(|_| Malformed))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self {
            sha256,
            replace_anchors,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.sha256.is_empty()
    }

    pub fn replace_anchors(&self) -> bool {
        self.replace_anchors && !self.is_empty()
    }

    /// Whether one of the certificates (DER) has a pinned key.
    pub fn allow<'a>(&self, mut certificates: impl Iterator<Item = &'a [u8]>) -> bool {
        self.is_empty() || certificates.any(|der| self.has_key_of(der))
    }

    fn has_key_of(&self, der: &[u8]) -> bool {
        Certificate::read(der).is_ok_and(|it| {
            let digest: [u8; 32] = Sha256::digest(it.spki()).into();
            self.sha256.contains(&digest)
        })
    }
}

pub fn mismatch() -> Refusal {
    Refusal::new(
        Reason::Pin,
        "none of the keys in the chain is one that is pinned for this host",
    )
}
