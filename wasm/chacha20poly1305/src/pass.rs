//! One way through the data. Poly1305 takes ciphertext beside ChaCha20: when sealing that of the batch before, when opening that of the
//! same batch, before it is overwritten.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::chacha20::{ChaCha20, Keystream, BATCH_BYTES, BLOCK_BYTES, BLOCK_PIECES};
use crate::lanes::Lanes;
use crate::piece::{padded, KEY_BYTES, NONCE_BYTES, PIECE_BYTES, TAG_BYTES};
use crate::poly1305::Poly1305;

/// The first block is Poly1305's key.
const FIRST_BYTES: usize = BATCH_BYTES - BLOCK_BYTES;

pub enum Direction {
    Seal,
    Open,
}

pub struct Pass<'a> {
    direction: Direction,
    buffer: &'a mut [u8],
    from: usize,
    cipher: ChaCha20,
    mac: Poly1305,
    /// Of a batch that is not whole.
    keystream: Zeroizing<Keystream>,
}

impl<'a> Pass<'a> {
    /// What begins at `from` becomes what begins the buffer. Sealing takes 0 alone.
    pub fn new(
        direction: Direction,
        (key, nonce): (&[u8; KEY_BYTES], &[u8; NONCE_BYTES]),
        (buffer, from): (&'a mut [u8], usize),
    ) -> Self {
        let mut cipher = ChaCha20::new(key, nonce);
        let mut keystream = Zeroizing::<Keystream>::default();
        cipher.fill(&mut keystream, &mut Poly1305::default(), &[]);
        let [r, s, ..] = *keystream;
        keystream.rotate_left(BLOCK_PIECES);
        Self {
            direction,
            buffer,
            from,
            cipher,
            mac: Poly1305::new(r.store(), s.store()),
            keystream,
        }
    }

    /// Gives the tag of the ciphertext.
    pub fn run(mut self, additional: &[u8]) -> [u8; TAG_BYTES] {
        let length = self.buffer.len().saturating_sub(self.from);
        self.mac.absorb(additional);
        let mut done = 0..length.min(FIRST_BYTES);
        self.absorb(&(0..0), &done);
        self.apply(&done);
        while length - done.end >= BATCH_BYTES {
            let next = done.end..done.end + BATCH_BYTES;
            self.apply_whole(&done, &next);
            done = next;
        }
        if done.end < length {
            let rest = done.end..length;
            let beside = self.buffer.get(self.beside(&done, &rest));
            let beside = beside.unwrap_or_default();
            self.cipher.fill(&mut self.keystream, &mut self.mac, beside);
            self.mac
                .absorb(beside.chunks_exact(PIECE_BYTES).remainder());
            self.apply(&rest);
            done = rest;
        }
        self.absorb(&done, &(length..length));
        self.mac.finish(additional.len(), length)
    }

    /// The ciphertext to absorb, between what is done and what is next.
    fn beside(&self, done: &Range<usize>, next: &Range<usize>) -> Range<usize> {
        match self.direction {
            Direction::Seal => done.clone(),
            Direction::Open => next.start + self.from..next.end + self.from,
        }
    }

    fn absorb(&mut self, done: &Range<usize>, next: &Range<usize>) {
        let beside = self.buffer.get(self.beside(done, next));
        self.mac.absorb(beside.unwrap_or_default());
    }

    /// The keystream never leaves the vectors.
    #[inline(never)]
    fn apply_whole(&mut self, done: &Range<usize>, next: &Range<usize>) {
        let beside = self.buffer.get(self.beside(done, next));
        let beside = beside.unwrap_or_default();
        let mut batch = self.cipher.next(&mut self.mac, beside);
        let input = self.buffer.get(next.start + self.from..);
        let Some(input) = input.and_then(<[u8]>::first_chunk::<BATCH_BYTES>) else {
            return;
        };
        for (lanes, piece) in batch.iter_mut().zip(input.chunks_exact(PIECE_BYTES)) {
            if let Some(piece) = piece.first_chunk() {
                *lanes = *lanes ^ Lanes::load(piece);
            }
        }
        let output = self.buffer.get_mut(next.clone());
        let Some(output) = output.and_then(<[u8]>::first_chunk_mut::<BATCH_BYTES>) else {
            return;
        };
        for (piece, lanes) in output.chunks_exact_mut(PIECE_BYTES).zip(batch) {
            piece.copy_from_slice(&lanes.store());
        }
    }

    /// Less than a batch.
    fn apply(&mut self, place: &Range<usize>) {
        for (at, lanes) in place.clone().step_by(PIECE_BYTES).zip(&*self.keystream) {
            let length = PIECE_BYTES.min(place.end - at);
            let input = self.buffer.get(at + self.from..at + self.from + length);
            let input = input.unwrap_or_default();
            let piece = input.first_chunk().copied();
            let piece = Lanes::load(&piece.unwrap_or_else(|| padded(input)));
            let mixed = (piece ^ *lanes).store();
            let output = self.buffer.get_mut(at..at + length).unwrap_or_default();
            match output.first_chunk_mut() {
                Some(whole) => *whole = mixed,
                None => output.iter_mut().zip(mixed).for_each(|(to, it)| *to = it),
            }
        }
    }
}
