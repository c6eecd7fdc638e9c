//! ChaCha20-Poly1305 (RFC 8439), made for records of 16 KiB in WebAssembly with SIMD.
//!
//! ChaCha20 runs in vectors, four blocks at a time. Poly1305 runs in scalars, over ciphertext, in the same loop: the two use different
//! units of a processor, so that one costs little beside the other. No branch and no index depends on a secret. Natively the same code
//! runs on arrays in place of vectors, so that tests and fuzzing cover it.
#![forbid(unsafe_code)]

mod chacha20;
mod lanes;
mod pass;
mod piece;
mod poly1305;
#[cfg(test)]
mod tests;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use pass::{Direction, Pass};

pub use piece::{KEY_BYTES, NONCE_BYTES, TAG_BYTES};

/// The data is not what was sealed with this key, nonce and additional data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAuthentic;

/// Wiped when it is dropped.
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// Encrypts in place, at most 256 GiB. A nonce must not be used twice with the same key.
    #[must_use]
    pub fn seal(
        &self,
        nonce: &[u8; NONCE_BYTES],
        additional: &[u8],
        data: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        Pass::new(Direction::Seal, (&self.0, nonce), (data, 0)).run(additional)
    }

    /// Opens what begins at `from` and ends with the tag, at the end of the buffer. The plaintext goes to the beginning of the
    /// buffer; if the tag is wrong, zeros are left there instead.
    pub fn open_within<'a>(
        &self,
        nonce: &[u8; NONCE_BYTES],
        additional: &[u8],
        buffer: &'a mut [u8],
        from: usize,
    ) -> Result<&'a mut [u8], NotAuthentic> {
        let (sealed, tag) = buffer.split_last_chunk_mut().ok_or(NotAuthentic)?;
        let tag: &[u8; TAG_BYTES] = tag;
        let length = sealed.len().checked_sub(from).ok_or(NotAuthentic)?;
        let pass = Pass::new(Direction::Open, (&self.0, nonce), (sealed, from));
        let expected = pass.run(additional);
        let plaintext = sealed.get_mut(..length).ok_or(NotAuthentic)?;
        if expected.ct_eq(tag).into() {
            return Ok(plaintext);
        }
        plaintext.fill(0);
        Err(NotAuthentic)
    }
}
