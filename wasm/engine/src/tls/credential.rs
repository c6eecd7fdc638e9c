//! The client certificate and its signatures, both of which the host gives.
//!
//! Question `ClientCertificate`: list of acceptable issuers (DER names), list of signature schemes (u16 LE each).
//! Answer: list of certificates (DER, own first), list of the key's schemes in order of preference (u16 LE each);
//! no certificates: none is sent.
//! Question `Signature`: scheme (u16), then the message as bytes, then the certificate's DER. Answer: the signature (ECDSA: DER).

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::failure::UNANSWERED;
use crate::host::{Answer, Host, QuestionKind};
use crate::wire::{Malformed, Reader, Writer};

#[derive(Debug)]
pub(super) struct AskingResolver {
    host: Arc<dyn Host>,
}

impl AskingResolver {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    fn read_answer(&self, answer: &[u8]) -> Result<Option<Arc<CertifiedKey>>, Malformed> {
        let mut reader = Reader::new(answer);
        let chain: Vec<_> = reader
            .list()?
            .into_iter()
            .map(|der| CertificateDer::from(der.to_vec()))
            .collect();
        let schemes: Vec<_> = reader
            .list()?
            .into_iter()
            .map(|item| Ok(SignatureScheme::from(Reader::new(item).u16()?)))
            .collect::<Result<_, Malformed>>()?;
        reader.finish()?;
        let (Some(own), Some(first)) = (chain.first(), schemes.first()) else {
            return Ok(None);
        };
        let key = RemoteKey {
            host: self.host.clone(),
            algorithm: algorithm_of(*first),
            certificate: own.clone(),
            schemes,
        };
        Ok(Some(Arc::new(CertifiedKey::new(chain, Arc::new(key)))))
    }
}

impl ResolvesClientCert for AskingResolver {
    fn resolve(
        &self,
        acceptable_issuers: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let question = Writer::default()
            .list(acceptable_issuers.iter())
            .list(
                schemes
                    .iter()
                    .map(|scheme| u16::from(*scheme).to_le_bytes()),
            )
            .finish();
        match self.host.ask(QuestionKind::ClientCertificate, &question) {
            Answer::Known(answer) => self.read_answer(&answer).ok().flatten(),
            Answer::Pending => None,
        }
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn algorithm_of(scheme: SignatureScheme) -> SignatureAlgorithm {
    match scheme {
        SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
        SignatureScheme::ECDSA_NISTP256_SHA256
        | SignatureScheme::ECDSA_NISTP384_SHA384
        | SignatureScheme::ECDSA_NISTP521_SHA512
        | SignatureScheme::ECDSA_SHA1_Legacy => SignatureAlgorithm::ECDSA,
        _ => SignatureAlgorithm::RSA,
    }
}

/// A private key that the host holds.
#[derive(Clone, Debug)]
struct RemoteKey {
    host: Arc<dyn Host>,
    algorithm: SignatureAlgorithm,
    certificate: CertificateDer<'static>,
    schemes: Vec<SignatureScheme>,
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.schemes.iter().find(|own| offered.contains(own))?;
        Some(Box::new(RemoteSigner {
            key: self.clone(),
            scheme,
        }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

#[derive(Debug)]
struct RemoteSigner {
    key: RemoteKey,
    scheme: SignatureScheme,
}

impl Signer for RemoteSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let question = Writer::default()
            .u16(self.scheme.into())
            .bytes(message)
            .bytes(&self.key.certificate)
            .finish();
        match self.key.host.ask(QuestionKind::Signature, &question) {
            Answer::Known(signature) => Ok(signature),
            Answer::Pending => Err(Error::General(UNANSWERED.into())),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
