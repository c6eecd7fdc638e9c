//! Why a connection failed, as it crosses the ABI.

use std::sync::Arc;

use rustls::{CertificateError, Error, OtherError};

use super::breach::Breach;
use crate::trust::refusal::{Reason, Refusal};
use crate::wire::{Malformed, Writer};

/// Stable numbers of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureKind {
    /// The peer and this client could not agree; in what is in [`Failure::number`], a [`Breach`].
    Protocol = 1,
    /// The peer sent a fatal alert; which (RFC 8446 section 6) is in [`Failure::number`].
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
    /// The server's signature over the handshake is not by the key of its certificate.
    HandshakeSignature = 14,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// By kind; otherwise 0.
    pub number: u8,
    /// A clause; empty where kind and number say all.
    pub message: String,
}

impl Failure {
    fn new(kind: FailureKind, number: u8) -> Self {
        Self {
            kind,
            number,
            message: String::new(),
        }
    }

    pub fn misuse(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..Self::new(FailureKind::Misuse, 0)
        }
    }

    pub(super) fn internal() -> Self {
        Self::new(FailureKind::Protocol, Breach::Internal as u8)
    }

    pub fn write(&self) -> Vec<u8> {
        Writer::default()
            .u8(self.kind as u8)
            .u8(self.number)
            .str(&self.message)
            .finish()
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::misuse("malformed argument")
    }
}

/// Without the texts of rustls: the host has words for the numbers.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::AlertReceived(alert) => Self::new(FailureKind::Alert, alert.into()),
            Error::InvalidCertificate(CertificateError::Other(reason)) => {
                match reason.0.downcast_ref::<Refusal>() {
                    Some(refusal) => refusal.clone().into(),
                    None => Self::new(FailureKind::CertificateMalformed, 0),
                }
            }
            Error::InvalidCertificate(CertificateError::BadSignature) => {
                Self::new(FailureKind::HandshakeSignature, 0)
            }
            Error::InvalidCertificate(_) => Self::new(FailureKind::CertificateMalformed, 0),
            other => Self::new(FailureKind::Protocol, Breach::from(&other) as u8),
        }
    }
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
            message: refusal.message,
            ..Self::new(kind, 0)
        }
    }
}

/// A refusal on its way through rustls, which tells the peer no more than certificate_unknown.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
    }
}

/// The error that stands for a question the host has not answered yet.
pub(super) fn unanswered() -> Error {
    Error::HandshakeNotComplete
}
