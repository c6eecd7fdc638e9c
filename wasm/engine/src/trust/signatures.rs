//! Signatures of certificates, of revocation lists and of OCSP responses, by webpki.
//!
//! The host remembers the outcome of each, because a call that has to wait for an answer is undone and made again. Question
//! `Memory`: 32 octets that stand for what is verified. Answer: one octet. The same question with one octet more tells the outcome.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use sha2::{Digest, Sha256};
use webpki::{Error, RawPublicKeyEntity};

use super::budget::Budget;
use super::refusal::Refusal;
use crate::host::{Answer, Host, QuestionKind};
use crate::pki::certificate::Certificate;
use crate::pki::public_key::plain;
use crate::wire::Writer;

/// Bounds one evaluation. Real chains need a few; more are sent to waste time.
const MAX_SIGNATURES: usize = 100;

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

/// The verifications of one evaluation.
pub struct Signatures<'a> {
    host: &'a dyn Host,
    left: Budget,
}

/// The outcomes of a verification, as the host remembers them. Unsupported: no algorithm is for such a key.
pub const GOOD: u8 = 0;
const WRONG: u8 = 1;
pub const UNSUPPORTED: u8 = 2;

impl<'a> Signatures<'a> {
    pub fn new(host: &'a dyn Host) -> Self {
        Self {
            host,
            left: Budget::new(MAX_SIGNATURES),
        }
    }

    /// Counts signatures that are verified elsewhere. Remembered ones count as well, so that each attempt has the same result.
    pub fn spend(&self, count: usize) -> Result<(), Refusal> {
        self.left.spend(count)
    }

    /// Whether the key (a whole SubjectPublicKeyInfo) made the signature, by an algorithm that certificates may use.
    pub fn is_signed_by(&self, signed: &Signed<'_>, spki: &[u8]) -> bool {
        self.verify(signed, spki).is_ok_and(|it| it.is_ok())
    }

    /// The same, with what is wrong, to follow the name of what is signed.
    pub fn verify(
        &self,
        signed: &Signed<'_>,
        spki: &[u8],
    ) -> Result<Result<(), &'static str>, Refusal> {
        self.spend(1)?;
        let question = Writer::default()
            .bytes(signed.message)
            .bytes(signed.algorithm)
            .bytes(signed.signature)
            .bytes(spki)
            .finish();
        Ok(match self.remember(&question, &|| verify(signed, spki)) {
            GOOD => Ok(()),
            WRONG => Err("has a signature that is not that of its issuer"),
            _ => Err("is signed with a weak or unsupported algorithm or key"),
        })
    }

    /// The remembered outcome, or a new one.
    pub fn remember(&self, question: &[u8], find_out: &dyn Fn() -> u8) -> u8 {
        let mut key = Sha256::digest(question).to_vec();
        if let Answer::Known(known) = self.host.ask(QuestionKind::Memory, &key) {
            if let [outcome] = known[..] {
                return outcome;
            }
        }
        let outcome = find_out();
        key.push(outcome);
        self.host.ask(QuestionKind::Memory, &key);
        outcome
    }
}

fn verify(signed: &Signed<'_>, spki: &[u8]) -> u8 {
    let all = supported().all.iter().copied();
    let algorithms = all.filter(|it| it.signature_alg_id().as_ref() == signed.algorithm);
    verify_by(algorithms, spki, (signed.message, signed.signature))
}

/// Whether the key made the signature by one of the algorithms.
pub fn verify_by(
    algorithms: impl Iterator<Item = &'static dyn SignatureVerificationAlgorithm>,
    spki: &[u8],
    (message, signature): (&[u8], &[u8]),
) -> u8 {
    let Some(spki) = plain(spki).map(|it| SubjectPublicKeyInfoDer::from(it.into_owned())) else {
        return UNSUPPORTED;
    };
    let Ok(key) = RawPublicKeyEntity::try_from(&spki) else {
        return UNSUPPORTED;
    };
    let mut outcome = UNSUPPORTED;
    for algorithm in algorithms {
        match key.verify_signature(algorithm, message, signature) {
            Ok(()) => return GOOD,
            Err(Error::InvalidSignatureForPublicKey) => outcome = WRONG,
            Err(_) => {}
        }
    }
    outcome
}
