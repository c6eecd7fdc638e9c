//! Verification of the server's certificate: [`crate::trust`] decides, and the host may be asked on top.
//!
//! Question `ServerTrust`: failure kind (u8, 0 when verification passed), its message, the server name, list of
//! certificates as the server sent them (DER, its own first), list of those of the verified path (DER, the anchor last; empty when
//! there is none). Answer: one byte, see [`Verdict`].
//! Question `HandshakeSignature`, where the key is trusted for itself: whether it is TLS 1.3 (u8), signature scheme (u16), SubjectPublicKeyInfo (DER), message,
//! signature. Answer: one byte, 1 when the key made the signature, 2 when the key is not trusted for itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};

use super::failure::unanswered;
use crate::host::{Answer, Host, QuestionKind};
use crate::pki::certificate::Certificate;
use crate::pki::public_key::plain;
use crate::trust::evaluate::{evaluate, Demand, Evaluation, Purpose};
use crate::trust::pins::{self, Pins};
use crate::trust::policy::Policy;
use crate::trust::refusal::{Reason, Refusal};
use crate::trust::signatures::{verify_by, GOOD, UNSUPPORTED};
use crate::wire::Writer;

const PKCS1: [SignatureScheme; 3] = [
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Answers about a signature; any other says that it is wrong.
const SIGNED: u8 = 1;
const UNDECIDED: u8 = 2;

/// What the host can verify beyond ring: ECDSA on P-521, and RSASSA-PSS keys (RFC 8446 section 4.2.3).
const OF_HOST: [SignatureScheme; 4] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::Unknown(0x0809),
    SignatureScheme::Unknown(0x080a),
    SignatureScheme::Unknown(0x080b),
];

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
            _ => Err(unanswered()),
        }
    }

    /// In TLS 1.3 the scheme fixes the curve, and PKCS#1 v1.5 is for certificates alone (RFC 8446 section 4.2.3).
    fn verify_signature(
        &self,
        signed: &Signed<'_>,
        certificate: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let scheme = signed.by.scheme;
        let is_offered = self.supported_verify_schemes().contains(&scheme);
        if !is_offered || signed.in_tls13 && PKCS1.contains(&scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let certificate =
            Certificate::read(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let spki = certificate.spki();
        let known = self.algorithms.mapping.iter();
        let algorithms = known
            .filter(|(it, _)| *it == scheme)
            .flat_map(|(_, algorithms)| algorithms.iter().copied())
            .take(if signed.in_tls13 { 1 } else { usize::MAX });
        let outcome = verify_by(algorithms, spki, (signed.message, signed.by.signature()));
        let verdict = match outcome {
            GOOD => SIGNED,
            _ if self.asks_about_signatures() => self.ask_about_signature(signed, spki)?,
            _ => UNDECIDED,
        };
        match verdict {
            SIGNED => Ok(HandshakeSignatureValid::assertion()),
            UNDECIDED => Err(unverified(&certificate, outcome)),
            _ => Err(CertificateError::BadSignature.into()),
        }
    }

    /// ring takes neither short RSA keys nor some of the other kinds. Where the key is all that is asked for, that is no reason to
    /// refuse it.
    fn asks_about_signatures(&self) -> bool {
        self.ask || self.pins.replace_anchors()
    }

    fn ask_about_signature(&self, signed: &Signed<'_>, spki: &[u8]) -> Result<u8, Error> {
        let question = Writer::default()
            .u8(u8::from(signed.in_tls13))
            .u16(signed.by.scheme.into())
            .bytes(spki)
            .bytes(signed.message)
            .bytes(signed.by.signature())
            .finish();
        match self.host.ask(QuestionKind::HandshakeSignature, &question) {
            Answer::Known(answer) => Ok(answer.first().copied().unwrap_or_default()),
            Answer::Pending => Err(unanswered()),
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
        let signed = Signed {
            message,
            by: dss,
            in_tls13: false,
        };
        self.verify_signature(&signed, cert)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let signed = Signed {
            message,
            by: dss,
            in_tls13: true,
        };
        self.verify_signature(&signed, cert)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.algorithms.supported_schemes();
        if self.pins.replace_anchors() {
            schemes.extend(OF_HOST);
        }
        schemes
    }
}

/// A server's signature over its handshake.
struct Signed<'a> {
    message: &'a [u8],
    by: &'a DigitallySignedStruct,
    in_tls13: bool,
}

/// What is wrong: the signature, unless none is verified with such a key, or none by such a scheme.
fn unverified(certificate: &Certificate<'_>, outcome: u8) -> Error {
    let algorithm = certificate.key_algorithm().unwrap_or_default();
    let what = match algorithm.strip_prefix("RSA-").map(str::parse) {
        _ if plain(certificate.spki()).is_none() => "compressed points are not supported",
        Some(Ok(2048..=8192_u32)) | None if outcome == UNSUPPORTED => {
            return PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into();
        }
        Some(Ok(2048..=8192_u32)) | None => return CertificateError::BadSignature.into(),
        Some(_) => "RSA keys must have 2048 to 8192 bits",
    };
    let message =
        format!("its key is {algorithm}; {what}, unless they are pinned in place of anchors");
    Refusal::new(Reason::Untrusted, message).into()
}
