//! Verification of the server's certificate: webpki decides, and the host may be asked on top.
//!
//! Question `ServerTrust`: failure kind (u8, 0 when verification passed), its message, the server name, list of
//! certificates (DER, the server's own first). Answer: one byte, see [`Verdict`].

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{
    verify_tls12_signature, verify_tls13_signature, CryptoProvider, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::failure::{certificate_kind, Failure, UNANSWERED};
use crate::host::{Answer, Host, QuestionKind};
use crate::wire::Writer;

#[derive(Debug)]
pub(super) struct AskingVerifier {
    /// None when there is no anchor at all: then nothing is trusted by itself.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    host: Arc<dyn Host>,
    ask: bool,
}

/// What the host says of a server's certificate.
enum Verdict {
    AsVerified,
    Trust,
}

impl AskingVerifier {
    pub(super) fn new(
        anchors: RootCertStore,
        provider: &Arc<CryptoProvider>,
        host: Arc<dyn Host>,
        ask: bool,
    ) -> Result<Self, Failure> {
        let webpki = if anchors.is_empty() {
            None
        } else {
            Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(anchors), provider.clone())
                    .build()?,
            )
        };
        Ok(Self {
            webpki,
            algorithms: provider.signature_verification_algorithms,
            host,
            ask,
        })
    }

    fn ask_host(
        &self,
        chain: &[&[u8]],
        server_name: &ServerName<'_>,
        found: &Result<ServerCertVerified, Error>,
    ) -> Result<Verdict, Error> {
        let (kind, message) = match found {
            Ok(_) => (0, String::new()),
            Err(Error::InvalidCertificate(reason)) => {
                (certificate_kind(reason) as u8, reason.to_string())
            }
            Err(other) => (
                super::failure::FailureKind::Protocol as u8,
                other.to_string(),
            ),
        };
        let question = Writer::default()
            .u8(kind)
            .str(&message)
            .str(&server_name.to_str())
            .list(chain.iter())
            .finish();
        match self.host.ask(QuestionKind::ServerTrust, &question) {
            Answer::Known(answer) if answer == [0] => Ok(Verdict::AsVerified),
            Answer::Known(answer) if answer == [1] => Ok(Verdict::Trust),
            _ => Err(Error::General(UNANSWERED.into())),
        }
    }
}

impl ServerCertVerifier for AskingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        if !self.ask {
            return found;
        }
        let chain: Vec<&[u8]> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|certificate| certificate.as_ref())
            .collect();
        match self.ask_host(&chain, server_name, &found)? {
            Verdict::AsVerified => found,
            Verdict::Trust => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl From<VerifierBuilderError> for Failure {
    fn from(error: VerifierBuilderError) -> Self {
        Self::misuse(&error.to_string())
    }
}
