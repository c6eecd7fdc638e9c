//! Why a chain is not trusted.

use std::fmt;

/// Stable numbers of the ABI (`FailureKind` in `src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    Name = 3,
    Expired = 4,
    NotYetValid = 5,
    Untrusted = 6,
    Revoked = 7,
    Purpose = 9,
    Pin = 10,
    RevocationUnknown = 11,
    Malformed = 12,
}

/// A reason, and a clause that says which certificate and what about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub message: String,
}

impl Refusal {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
