//! Signatures over things that are not certificates in a path.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use webpki::RawPublicKeyEntity;

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

/// Whether the key (a whole SubjectPublicKeyInfo) made the signature, by an algorithm that certificates may use.
pub fn is_signed_by(signed: &Signed<'_>, spki: &[u8]) -> bool {
    let spki = SubjectPublicKeyInfoDer::from(spki);
    let Ok(key) = RawPublicKeyEntity::try_from(&spki) else {
        return false;
    };
    supported()
        .all
        .iter()
        .filter(|it| it.signature_alg_id().as_ref() == signed.algorithm)
        .any(|it| {
            key.verify_signature(*it, signed.message, signed.signature)
                .is_ok()
        })
}
