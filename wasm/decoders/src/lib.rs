//! Decoders of HTTP's content codings (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). Each call takes some input and gives some output,
//! never more than the caller has room for, so that nobody has to hold a body that expands.
#![deny(unsafe_code)]

mod abi;
mod brotli;
pub mod decode;
mod deflate;
mod gzip;
mod zstd;

use decode::Decode;

/// By the number that the ABI has for it.
pub fn decoder(format: u32) -> Option<Box<dyn Decode>> {
    Some(match format {
        0 => Box::new(gzip::Gzip::default()),
        1 => Box::new(deflate::Deflate::new(true)),
        2 => Box::new(deflate::Deflate::new(false)),
        3 => Box::new(brotli::Brotli::default()),
        4 => Box::new(zstd::Zstd::new()?),
        _ => return None,
    })
}
