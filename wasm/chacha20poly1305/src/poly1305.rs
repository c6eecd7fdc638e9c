//! Poly1305 (RFC 8439 section 2.5) over whole pieces, as the AEAD construction has it. Numbers are words of 32 bits, so that a piece is
//! taken as it is: the clamped r leaves room for sums of products in 64 bits. WebAssembly has no product of 128.

use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroize;

use crate::piece::{padded, Piece, PIECE_BYTES, TAG_BYTES};

const WORD_BITS: u32 = 32;
const WORD: u64 = u32::MAX as u64;
/// The bits of r that may be set.
const CLAMP: u128 = 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;

#[derive(Default)]
pub struct Poly1305 {
    /// Words below 2^28.
    r: [u64; 4],
    /// From the second on: 5/4 of them, for what is above 2^128. They are multiples of 4, and 2^130 is 5 in this field.
    r_above: [u64; 3],
    s: u128,
    /// Between two pieces below 2^34, 2^32, 2^32, 2^32 and 4.
    sum: [u64; 5],
}

impl Poly1305 {
    /// The two halves of the one-time key.
    pub fn new(r: Piece, s: Piece) -> Self {
        let r = words(u128::from_le_bytes(r) & CLAMP);
        let [_, r1, r2, r3] = r;
        Self {
            r,
            r_above: [r1, r2, r3].map(|word| word + (word >> 2)),
            s: u128::from_le_bytes(s),
            sum: [0; 5],
        }
    }

    /// Adds zeros up to a whole piece.
    pub fn absorb(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(PIECE_BYTES) {
            match bytes.first_chunk() {
                Some(piece) => self.absorb_piece(piece),
                None => self.absorb_piece(&padded(bytes)),
            }
        }
    }

    /// (sum + piece + 2^128) r. No product reaches 2^62, and no sum of them 2^64.
    #[inline(always)]
    pub fn absorb_piece(&mut self, piece: &Piece) {
        let [r0, r1, r2, r3] = self.r;
        let [s1, s2, s3] = self.r_above;
        let [m0, m1, m2, m3] = words(u128::from_le_bytes(*piece));
        let [h0, h1, h2, h3, h4] = self.sum;
        let (h0, h1, h2, h3, h4) = (h0 + m0, h1 + m1, h2 + m2, h3 + m3, h4 + 1);
        // The first word of the sum is known last.
        let a = h1 * s3 + h2 * s2 + h3 * s1 + h0 * r0;
        let b = h1 * r0 + h2 * s3 + h3 * s2 + h4 * s1 + h0 * r1 + (a >> WORD_BITS);
        let c = h1 * r1 + h2 * r0 + h3 * s3 + h4 * s2 + h0 * r2 + (b >> WORD_BITS);
        let d = h1 * r2 + h2 * r1 + h3 * r0 + h4 * s3 + h0 * r3 + (c >> WORD_BITS);
        let e = h4 * r0 + (d >> WORD_BITS);
        self.sum = [
            (a & WORD) + 5 * (e >> 2),
            b & WORD,
            c & WORD,
            d & WORD,
            e & 3,
        ];
    }

    /// After the ciphertext.
    pub fn finish(mut self, additional_bytes: usize, bytes: usize) -> [u8; TAG_BYTES] {
        let lengths = additional_bytes as u128 | (bytes as u128) << 64;
        self.absorb_piece(&lengths.to_le_bytes());
        self.tag()
    }

    pub(crate) fn tag(&self) -> [u8; TAG_BYTES] {
        let [a, b, c, d, e] = carried(self.sum);
        // Plus 5 it reaches 2^130 if it is not below 2^130 - 5.
        let [f, g, h, i, above] = carried_up([a + 5, b, c, d, e]);
        let is_above = Choice::from((above >> 2) as u8);
        let select = |same, less| u128::from(u64::conditional_select(&same, &less, is_above));
        let number = select(a, f) | select(b, g) << 32 | select(c, h) << 64 | select(d, i) << 96;
        number.wrapping_add(self.s).to_le_bytes()
    }
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        self.r.zeroize();
        self.r_above.zeroize();
        self.s.zeroize();
        self.sum.zeroize();
    }
}

#[inline(always)]
fn words(number: u128) -> [u64; 4] {
    let (low, high) = (number as u64, (number >> 64) as u64);
    [low & WORD, low >> WORD_BITS, high & WORD, high >> WORD_BITS]
}

/// Words of 32 bits, but for the last.
fn carried_up([a, b, c, d, e]: [u64; 5]) -> [u64; 5] {
    let b = b + (a >> WORD_BITS);
    let c = c + (b >> WORD_BITS);
    let d = d + (c >> WORD_BITS);
    let e = e + (d >> WORD_BITS);
    [a & WORD, b & WORD, c & WORD, d & WORD, e]
}

/// Below 2^130.
fn carried(sum: [u64; 5]) -> [u64; 5] {
    let [a, b, c, d, e] = carried_up(sum);
    // Where the last word reaches 4, the three before it are 0: nothing is carried so far again.
    carried_up([a + 5 * (e >> 2), b, c, d, e & 3])
}
