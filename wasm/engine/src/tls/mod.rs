//! A TLS 1.2 and 1.3 client (RFC 5246, RFC 8446) over rustls.

pub mod config;
pub mod connection;
pub mod credential;
pub mod external;
pub mod failure;
pub mod post_quantum;
pub mod sessions;
pub mod verifier;
