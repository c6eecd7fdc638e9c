//! The safe part of the engine: a TLS client, trust in certificates, an HTTP client and the cryptography of PKCS#12 files, all free of I/O.
//!
//! Nothing here reads a clock, a socket or a key by itself: bytes come in by calls and go out as return values, and
//! what only the host can answer (which certificate, a signature, a person's trust) is asked through [`host::Host`].
#![forbid(unsafe_code)]

pub mod bulk;
pub mod host;
pub mod http;
pub mod pki;
pub mod tls;
pub mod trust;
pub mod wire;
