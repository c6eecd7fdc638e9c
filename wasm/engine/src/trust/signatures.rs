//! Signatures of certificates, of revocation lists and of OCSP responses, by webpki.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use webpki::{Error, RawPublicKeyEntity};

use crate::pki::certificate::Certificate;

/// The algorithms that certificates may be signed with.
pub fn supported() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

pub struct Signed<'a> {
    pub message: &'a [u8],
    /// The content of the AlgorithmIdentifier.
    pub algorithm: &'a [u8],
    pub signature: &'a [u8],
}

impl<'a> From<&Certificate<'a>> for Signed<'a> {
    fn from(certificate: &Certificate<'a>) -> Self {
        let (algorithm, signature) = certificate.signature();
        Self {
            message: certificate.to_be_signed(),
            algorithm,
            signature,
        }
    }
}

/// Whether the key (a whole SubjectPublicKeyInfo) made the signature, by an algorithm that certificates may use.
pub fn is_signed_by(signed: &Signed<'_>, spki: &[u8]) -> bool {
    verify(signed, spki).is_ok()
}

/// The same, with what is wrong, to follow the name of what is signed.
pub fn verify(signed: &Signed<'_>, spki: &[u8]) -> Result<(), &'static str> {
    const UNSUPPORTED: &str = "is signed with a weak or unsupported algorithm or key";
    let spki = SubjectPublicKeyInfoDer::from(spki);
    let key = RawPublicKeyEntity::try_from(&spki).map_err(|_| UNSUPPORTED)?;
    let mut outcome = Err(UNSUPPORTED);
    let algorithms = supported().all.iter();
    for algorithm in algorithms.filter(|it| it.signature_alg_id().as_ref() == signed.algorithm) {
        match key.verify_signature(*algorithm, signed.message, signed.signature) {
            Ok(()) => return Ok(()),
            Err(Error::InvalidSignatureForPublicKey) => {
                outcome = Err("has a signature that is not that of its issuer");
            }
            Err(_) => {}
        }
    }
    outcome
}
