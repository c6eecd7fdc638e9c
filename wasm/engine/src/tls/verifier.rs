//! Verification of the server's certificate: [`crate::trust`] decides, and the host may be asked on top.
//!
//! Question `ServerTrust`: failure kind (u8, 0 when verification passed), its message, the server name, list of
//! certificates as the server sent them (DER, its own first), list of those of the verified path (DER, the anchor last; empty when
//! there is none). Answer: one byte, see [`Verdict`].

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
    WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, RawPublicKeyEntity};

use super::failure::UNANSWERED;
use crate::host::{Answer, Host, QuestionKind};
use crate::pki::certificate::Certificate;
use crate::trust::evaluate::{evaluate, Demand, Evaluation, Purpose};
use crate::trust::pins::{self, Pins};
use crate::trust::policy::Policy;
use crate::wire::Writer;

/// Verifies the servers of one configuration that have the same pins.
#[derive(Debug)]
pub(super) struct AskingVerifier {
    pub(super) policy: Arc<Policy>,
    pub(super) pins: Pins,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) host: Arc<dyn Host>,
    pub(super) ask: bool,
}

/// What the host says of a server's certificate.
enum Verdict {
    AsVerified,
    Trust,
}

impl AskingVerifier {
    fn ask_host(
        &self,
        chain: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        found: &Evaluation,
    ) -> Result<Verdict, Error> {
        let (kind, message) = match &found.refusal {
            None => (0, ""),
            Some(refusal) => (refusal.reason as u8, refusal.message.as_str()),
        };
        let question = Writer::default()
            .u8(kind)
            .str(message)
            .str(&server_name.to_str())
            .list(chain.iter())
            .list(found.path.iter())
            .finish();
        match self.host.ask(QuestionKind::ServerTrust, &question) {
            Answer::Known(answer) if answer == [0] => Ok(Verdict::AsVerified),
            Answer::Known(answer) if answer == [1] => Ok(Verdict::Trust),
            _ => Err(Error::General(UNANSWERED.into())),
        }
    }

    /// The host may trust a server in spite of what was found, but not with a key that is not pinned: of an unverified
    /// chain only the server's own key is proven, by the handshake.
    fn is_pinned(&self, own: &CertificateDer<'_>, found: &Evaluation) -> bool {
        let own = std::iter::once(own.as_ref());
        self.pins
            .allow(own.chain(found.path.iter().map(Vec::as_slice)))
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
        let chain: Vec<CertificateDer<'_>> = std::iter::once(end_entity)
            .chain(intermediates)
            .cloned()
            .collect();
        let demand = Demand {
            name: Some(server_name.clone()),
            at: now,
            purpose: Purpose::Server,
            staple: ocsp_response,
            pins: self.pins.clone(),
            max_intermediates: None,
            host: &*self.host,
        };
        let found = evaluate(&self.policy, &chain, &demand);
        let verdict = if self.ask {
            self.ask_host(&chain, server_name, &found)?
        } else {
            Verdict::AsVerified
        };
        match (verdict, &found.refusal) {
            (_, None) => Ok(ServerCertVerified::assertion()),
            (Verdict::AsVerified, Some(refusal)) => Err(refusal.clone().into()),
            (Verdict::Trust, Some(_)) if self.is_pinned(end_entity, &found) => {
                Ok(ServerCertVerified::assertion())
            }
            (Verdict::Trust, Some(_)) => Err(pins::mismatch().into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_of_version_3(cert) {
            return verify_tls12_signature(message, cert, dss, &self.algorithms);
        }
        let key = key_of(cert)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| unreadable())?;
        let mut algorithms = self.algorithms.mapping.iter();
        let algorithms = algorithms.find(|(scheme, _)| *scheme == dss.scheme);
        let is_valid = algorithms.is_some_and(|(_, all)| {
            all.iter()
                .any(|it| key.verify_signature(*it, message, dss.signature()).is_ok())
        });
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if is_of_version_3(cert) {
            return verify_tls13_signature(message, cert, dss, &self.algorithms);
        }
        verify_tls13_signature_with_raw_key(message, &key_of(cert)?, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Others are trusted only for their key (pins) or by the host's word; webpki does not read them.
fn is_of_version_3(certificate: &CertificateDer<'_>) -> bool {
    EndEntityCert::try_from(certificate).is_ok()
}

fn key_of<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, Error> {
    let certificate = Certificate::read(certificate).map_err(|_| unreadable())?;
    Ok(SubjectPublicKeyInfoDer::from(certificate.spki()))
}

fn unreadable() -> Error {
    CertificateError::BadEncoding.into()
}
