//! The client certificate and its signatures, both of which the host gives.
//!
//! Question `ClientCertificate`: list of acceptable issuers (DER names), list of signature schemes (u16 LE each), as far as rustls
//! passes them on. Answer: list of certificates (DER, own first; empty: none is sent), the scheme to sign by (u16).
//! Question `Signature`: scheme (u16), then the message as bytes, then the certificate's DER. Answer: the signature (ECDSA: DER).

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::failure::unanswered;
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
        let scheme = SignatureScheme::from(reader.u16()?);
        reader.finish()?;
        let Some(own) = chain.first() else {
            return Ok(None);
        };
        let key = RemoteKey {
            host: self.host.clone(),
            certificate: own.clone(),
            scheme,
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

/// A private key that the host holds, and signs with by one scheme.
#[derive(Clone, Debug)]
struct RemoteKey {
    host: Arc<dyn Host>,
    certificate: CertificateDer<'static>,
    scheme: SignatureScheme,
}

impl SigningKey for RemoteKey {
    /// The host has chosen among all that the server accepts; rustls leaves some of them out in TLS 1.2.
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    /// Only servers are asked.
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Anonymous
    }
}

impl Signer for RemoteKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let question = Writer::default()
            .u16(self.scheme.into())
            .bytes(message)
            .bytes(&self.certificate)
            .finish();
        match self.host.ask(QuestionKind::Signature, &question) {
            Answer::Known(signature) => Ok(signature),
            Answer::Pending => Err(unanswered()),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
