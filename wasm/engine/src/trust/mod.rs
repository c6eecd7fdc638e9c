//! Whether a certificate chain is to be trusted: the one meaning that TLS connections and `evaluateTrust` share.
//!
//! webpki builds and verifies the path (RFC 5280 section 6); here is what it leaves to its callers: which certificates may
//! issue, the anchors' own limits, weak keys, stapled OCSP responses, pins, and reasons that people can read.

mod asn1_time;
pub mod evaluate;
mod ocsp;
mod path_rules;
pub mod pins;
pub mod policy;
pub mod refusal;
mod signatures;
