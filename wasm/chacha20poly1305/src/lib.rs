//! ChaCha20-Poly1305 (RFC 8439), made for records of 16 KiB in WebAssembly with SIMD.
//!
//! ChaCha20 runs in vectors, four blocks at a time. Poly1305 runs in scalars, over the ciphertext of the four blocks before, in the
//! same loop: the two use different units of a processor, so that one costs little beside the other. No branch and no index depends
//! on a secret. Natively the same code runs on arrays in place of vectors, so that tests and fuzzing cover it.
#![forbid(unsafe_code)]

mod chacha20;
mod lanes;
mod piece;
mod poly1305;
#[cfg(test)]
mod tests;

use std::ops::Range;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use chacha20::{ChaCha20, Keystream, BATCH_BYTES, BLOCK_BYTES, BLOCK_PIECES};
use lanes::Lanes;
use piece::{Piece, PIECE_BYTES};
use poly1305::Poly1305;

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
        let mut pass = Pass::new(self, nonce, Direction::Seal);
        pass.run(additional, data, 0)
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
        let mut pass = Pass::new(self, nonce, Direction::Open);
        let expected = pass.run(additional, sealed, from);
        let plaintext = sealed.get_mut(..length).ok_or(NotAuthentic)?;
        if expected.ct_eq(tag).into() {
            return Ok(plaintext);
        }
        plaintext.fill(0);
        Err(NotAuthentic)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Seal,
    Open,
}

type Batch = [u8; BATCH_BYTES];

/// One way through the data.
struct Pass {
    cipher: ChaCha20,
    keystream: Zeroizing<Keystream>,
    /// All bits of the keystream, where it is applied before Poly1305 takes the result: when sealing. Else none.
    before: Lanes,
    /// The others.
    after: Lanes,
    /// What Poly1305 takes beside the next batch.
    ciphertext: [Piece; BATCH_BYTES / PIECE_BYTES],
}

impl Pass {
    fn new(key: &Key, nonce: &[u8; NONCE_BYTES], direction: Direction) -> Self {
        let (all, none) = (Lanes::splat(u32::MAX), Lanes::splat(0));
        let (before, after) = match direction {
            Direction::Seal => (all, none),
            Direction::Open => (none, all),
        };
        Self {
            cipher: ChaCha20::new(&key.0, nonce),
            keystream: Zeroizing::default(),
            before,
            after,
            ciphertext: Default::default(),
        }
    }

    /// Moves what begins at `from` to the beginning of the buffer, encrypted or decrypted. Gives the tag of the ciphertext.
    fn run(&mut self, additional: &[u8], buffer: &mut [u8], from: usize) -> [u8; TAG_BYTES] {
        let length = buffer.len() - from;
        let mut mac = Poly1305::default();
        self.cipher.next(&mut self.keystream, &mut mac, &[]);
        // The first block of all is Poly1305's key.
        let [r, s, ..] = *self.keystream;
        mac = Poly1305::new(r.store(), s.store());
        mac.absorb(additional);
        self.keystream.rotate_left(BLOCK_PIECES);
        let mut at = 0;
        let mut end = length.min(BATCH_BYTES - BLOCK_BYTES);
        loop {
            self.apply(buffer, at..end, from);
            if end == length {
                let last = self.ciphertext.as_flattened().get(..end - at);
                mac.absorb(last.unwrap_or_default());
                return mac.finish(additional.len(), length);
            }
            let whole = self.ciphertext.get(..(end - at) / PIECE_BYTES);
            let whole = whole.unwrap_or_default();
            self.cipher.next(&mut self.keystream, &mut mac, whole);
            at = end;
            end = length.min(at + BATCH_BYTES);
        }
    }

    fn apply(&mut self, buffer: &mut [u8], place: Range<usize>, from: usize) {
        let source = from + place.start..from + place.end;
        let source = buffer.get(source).unwrap_or_default();
        if let Some(whole) = source.first_chunk() {
            self.take(whole);
            let target = buffer.get_mut(place).and_then(<[u8]>::first_chunk_mut);
            if let Some(whole) = target {
                self.give(whole);
            }
            return;
        }
        let mut batch = [0; BATCH_BYTES];
        if let Some(begun) = batch.get_mut(..source.len()) {
            begun.copy_from_slice(source);
        }
        self.take(&batch);
        self.give(&mut batch);
        let target = buffer.get_mut(place).unwrap_or_default();
        target.copy_from_slice(batch.get(..target.len()).unwrap_or_default());
    }

    fn take(&mut self, batch: &Batch) {
        let pieces = batch.chunks_exact(PIECE_BYTES).zip(&*self.keystream);
        for ((piece, key), to) in pieces.zip(&mut self.ciphertext) {
            if let Ok(piece) = piece.try_into() {
                *to = (Lanes::load(piece) ^ (*key & self.before)).store();
            }
        }
    }

    fn give(&self, batch: &mut Batch) {
        let pieces = self.ciphertext.iter().zip(&*self.keystream);
        for ((piece, key), to) in pieces.zip(batch.chunks_exact_mut(PIECE_BYTES)) {
            to.copy_from_slice(&(Lanes::load(piece) ^ (*key & self.after)).store());
        }
    }
}
