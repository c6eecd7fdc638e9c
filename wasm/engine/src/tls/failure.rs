//! Why a connection failed, as it crosses the ABI.

use rustls::{AlertDescription, CertificateError, Error};

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
            Error::InvalidCertificate(reason) => (certificate_kind(&reason), 0),
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

pub(super) fn certificate_kind(reason: &CertificateError) -> FailureKind {
    use CertificateError as E;
    match reason {
        E::NotValidForName | E::NotValidForNameContext { .. } => FailureKind::CertificateName,
        E::Expired | E::ExpiredContext { .. } => FailureKind::CertificateExpired,
        E::NotValidYet | E::NotValidYetContext { .. } => FailureKind::CertificateNotYetValid,
        E::Revoked => FailureKind::CertificateRevoked,
        _ => FailureKind::CertificateUntrusted,
    }
}
