//! Decoders of HTTP's content codings (RFC 9110 section 8.4.1, RFC 7932, RFC 8878). Each call takes some input and gives some output,
//! never more than the caller has room for, so that nobody has to hold a body that expands.
#![deny(unsafe_code)]

mod abi;
mod brotli;
mod deflate;
mod gzip;
mod zstd;

/// The body is not what its coding says, or goes on after its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// What a call has done. Neither: more input is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub consumed: usize,
    pub produced: usize,
}

pub trait Decode {
    /// Decodes some of `input` to the beginning of `output`. Input that was not consumed is given again.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Damaged>;

    /// Whether the body may end here, when the last call has done nothing more.
    fn is_complete(&mut self) -> bool;
}

/// What a format whose bodies have one part says to input behind their end.
fn behind_the_end(input: &[u8]) -> Result<Progress, Damaged> {
    if input.is_empty() {
        Ok(Progress::default())
    } else {
        Err(Damaged)
    }
}

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
