//! What the import of identities needs and WebCrypto lacks: the older cryptography of PKCS#12 files, and a reader of certificates.

pub mod certificate;
pub mod der;
pub mod derivation;
pub mod extension;
pub mod hash;
mod kdf;
pub mod name;
pub mod pbe;
mod pbkdf1;
mod pbkdf2;
pub mod public_key;
