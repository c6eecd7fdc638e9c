//! A TLS 1.2 and 1.3 client (RFC 5246, RFC 8446) over rustls.

mod breach;
pub mod config;
pub mod connection;
pub mod credential;
pub mod external;
pub mod failure;
mod key_log;
mod last_words;
pub mod post_quantum;
mod record_cipher;
pub mod records;
pub mod sessions;
pub mod target;
pub mod verifier;
