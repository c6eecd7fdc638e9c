//! Why a connection failed, as it crosses the ABI.

use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::trust::refusal::{Reason, Refusal};
use crate::wire::{Malformed, Writer};

/// Stable numbers of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureKind {
    Protocol = 1,
    /// The peer sent a fatal alert; its number is in [`Failure::alert`].
    Alert = 2,
    CertificateName = 3,
    CertificateExpired = 4,
    CertificateNotYetValid = 5,
    CertificateUntrusted = 6,
    CertificateRevoked = 7,
    /// The host called with something that makes no sense.
    Misuse = 8,
    CertificatePurpose = 9,
    CertificatePin = 10,
    RevocationUnknown = 11,
    CertificateMalformed = 12,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// The alert's number (RFC 8446 section 6), or 0.
    pub alert: u8,
    pub message: String,
}

/// The text of the error that stands for a question the host has not answered yet.
pub(super) const UNANSWERED: &str = "the host has no answer yet";

impl Failure {
    pub fn misuse(message: &str) -> Self {
        Self {
            kind: FailureKind::Misuse,
            alert: 0,
            message: message.to_owned(),
        }
    }

    pub fn write(&self) -> Vec<u8> {
        Writer::default()
            .u8(self.kind as u8)
            .u8(self.alert)
            .str(&self.message)
            .finish()
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::misuse("malformed argument")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (kind, alert) = match error {
            Error::AlertReceived(alert) => (FailureKind::Alert, alert_number(alert)),
            Error::InvalidCertificate(CertificateError::Other(reason)) => {
                match reason.0.downcast_ref::<Refusal>() {
                    Some(refusal) => return refusal.clone().into(),
                    None => (FailureKind::CertificateUntrusted, 0),
                }
            }
            Error::InvalidCertificate(_) => (FailureKind::CertificateUntrusted, 0),
            _ => (FailureKind::Protocol, 0),
        };
        Self {
            kind,
            alert,
            message,
        }
    }
}

fn alert_number(alert: AlertDescription) -> u8 {
    alert.into()
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.reason {
            Reason::Name => FailureKind::CertificateName,
            Reason::Expired => FailureKind::CertificateExpired,
            Reason::NotYetValid => FailureKind::CertificateNotYetValid,
            Reason::Untrusted => FailureKind::CertificateUntrusted,
            Reason::Revoked => FailureKind::CertificateRevoked,
            Reason::Purpose => FailureKind::CertificatePurpose,
            Reason::Pin => FailureKind::CertificatePin,
            Reason::RevocationUnknown => FailureKind::RevocationUnknown,
            Reason::Malformed => FailureKind::CertificateMalformed,
        };
        Self {
            kind,
            alert: 0,
            message: refusal.message,
        }
    }
}

/// A refusal on its way through rustls, which tells the peer no more than certificate_unknown.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}
