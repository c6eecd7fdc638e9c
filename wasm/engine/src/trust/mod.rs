//! Whether a certificate chain is to be trusted: the one meaning that TLS connections and `evaluateTrust` share.
//!
//! The path is searched for and judged here (RFC 5280 section 6), because webpki cannot be asked for names other than hosts in
//! constraints, for self-issued certificates, for the anchors' own limits or for reasons that people can read. webpki
//! reads certificates and lists strictly, checks signatures, compares host names, and has the last word on every path that it
//! can judge.

mod asn1_time;
mod budget;
mod certificate_rules;
mod confirmation;
pub mod evaluate;
mod identifiers;
mod name_constraints;
mod name_forms;
mod ocsp;
mod path;
mod path_rules;
pub mod pins;
pub mod policy;
pub mod refusal;
mod revocation;
pub mod signatures;
