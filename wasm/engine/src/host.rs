//! What the engine asks of its host in the middle of a call.

use std::fmt::Debug;

/// A question's kind, as a stable number of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum QuestionKind {
    /// Which client certificate? See [`crate::tls::credential`].
    ClientCertificate = 1,
    /// A signature by the client's private key. See [`crate::tls::credential`].
    Signature = 2,
    /// Is this server to be trusted? See [`crate::tls::verifier`].
    ServerTrust = 3,
    /// The outcome of an earlier verification. See [`crate::trust::signatures`]. The host is told outcomes in the same way, and
    /// remembers them although it undoes the call.
    Memory = 4,
    /// Did the server's key make this signature? See [`crate::tls::verifier`].
    HandshakeSignature = 5,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Known(Vec<u8>),
    /// The host has no answer yet. Whatever the call does from here on is undone by the host, which calls again later.
    Pending,
}

pub trait Host: Debug + Send + Sync {
    fn ask(&self, kind: QuestionKind, question: &[u8]) -> Answer;
}
