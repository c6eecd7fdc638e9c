//! Poly1305 (RFC 8439 section 2.5) over whole pieces, as the AEAD construction has it. Numbers are five limbs of 26 bits, so that
//! products of two add up in 64 bits: WebAssembly has no product of 128.

use subtle::{Choice, ConditionallySelectable};
use zeroize::{DefaultIsZeroes, Zeroize};

use crate::piece::{padded, Piece, PIECE_BYTES, TAG_BYTES};

type Limbs = [u64; 5];

const LIMB_BITS: u32 = 26;
const LIMB: u64 = (1 << LIMB_BITS) - 1;
/// Bit 128, which every whole piece gets.
const MARK: u64 = 1 << (128 - 4 * LIMB_BITS);
/// The bits of r that may be set.
const CLAMP: u128 = 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;

#[derive(Default)]
pub struct Poly1305 {
    r: Factor,
    r_squared: Factor,
    s: u128,
    sum: Limbs,
}

impl Poly1305 {
    /// The two halves of the one-time key.
    pub fn new(r: Piece, s: Piece) -> Self {
        let r = Factor::new(limbs(u128::from_le_bytes(r) & CLAMP));
        let squared = carried(r.times(r.limbs));
        Self {
            r,
            r_squared: Factor::new(squared),
            s: u128::from_le_bytes(s),
            sum: Limbs::default(),
        }
    }

    /// Adds zeros up to a whole piece.
    pub fn absorb(&mut self, bytes: &[u8]) {
        for bytes in bytes.chunks(PIECE_BYTES) {
            let piece = marked(&padded(bytes));
            self.sum = carried(self.r.times(sum(self.sum, piece)));
        }
    }

    /// The same as one after the other: (sum + first) r² + second r.
    #[inline(always)]
    pub fn absorb_pair(&mut self, first: &Piece, second: &Piece) {
        let first = self.r_squared.times(sum(self.sum, marked(first)));
        let second = self.r.times(marked(second));
        self.sum = carried(sum(first, second));
    }

    /// After the ciphertext.
    pub fn finish(mut self, additional_bytes: usize, bytes: usize) -> [u8; TAG_BYTES] {
        let lengths = additional_bytes as u128 | (bytes as u128) << 64;
        self.absorb(&lengths.to_le_bytes());
        self.tag()
    }

    pub(crate) fn tag(&self) -> [u8; TAG_BYTES] {
        // Twice, so that the last carry ends as well.
        let [a, b, c, d, e] = reduced(carried(carried(self.sum))).map(u128::from);
        let number = a | b << 26 | c << 52 | d << 78 | e << 104;
        number.wrapping_add(self.s).to_le_bytes()
    }
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        self.r.zeroize();
        self.r_squared.zeroize();
        self.s.zeroize();
        self.sum.zeroize();
    }
}

/// What numbers are multiplied by.
#[derive(Clone, Copy, Default)]
struct Factor {
    limbs: Limbs,
    /// From the second on: for what is above 2^130, which is 5 in this field.
    fivefold: [u64; 4],
}

impl DefaultIsZeroes for Factor {}

impl Factor {
    fn new(limbs: Limbs) -> Self {
        let [_, b, c, d, e] = limbs;
        Self {
            limbs,
            fivefold: [5 * b, 5 * c, 5 * d, 5 * e],
        }
    }

    /// Limbs of up to 2^58, of one of up to 2^27.
    #[inline(always)]
    fn times(&self, [a, b, c, d, e]: Limbs) -> Limbs {
        let [r0, r1, r2, r3, r4] = self.limbs;
        let [s1, s2, s3, s4] = self.fivefold;
        [
            a * r0 + b * s4 + c * s3 + d * s2 + e * s1,
            a * r1 + b * r0 + c * s4 + d * s3 + e * s2,
            a * r2 + b * r1 + c * r0 + d * s4 + e * s3,
            a * r3 + b * r2 + c * r1 + d * r0 + e * s4,
            a * r4 + b * r3 + c * r2 + d * r1 + e * r0,
        ]
    }
}

#[inline(always)]
fn limbs(number: u128) -> Limbs {
    let (low, high) = (number as u64, (number >> 64) as u64);
    [
        low & LIMB,
        low >> 26 & LIMB,
        (low >> 52 | high << 12) & LIMB,
        high >> 14 & LIMB,
        high >> 40,
    ]
}

#[inline(always)]
fn marked(piece: &Piece) -> Limbs {
    let [a, b, c, d, e] = limbs(u128::from_le_bytes(*piece));
    [a, b, c, d, e | MARK]
}

#[inline(always)]
fn sum([a, b, c, d, e]: Limbs, [f, g, h, i, j]: Limbs) -> Limbs {
    [a + f, b + g, c + h, d + i, e + j]
}

/// Limbs of 26 bits, but for the second, which may be a little above.
#[inline(always)]
fn carried([a, b, c, d, e]: Limbs) -> Limbs {
    let b = b + (a >> LIMB_BITS);
    let c = c + (b >> LIMB_BITS);
    let d = d + (c >> LIMB_BITS);
    let e = e + (d >> LIMB_BITS);
    let a = (a & LIMB) + 5 * (e >> LIMB_BITS);
    let b = (b & LIMB) + (a >> LIMB_BITS);
    [a & LIMB, b, c & LIMB, d & LIMB, e & LIMB]
}

/// Below 2^130 - 5.
fn reduced(number: Limbs) -> Limbs {
    let [a, b, c, d, e] = number;
    // Plus 5 it reaches 2^130 if it is not below.
    let a = a + 5;
    let b = b + (a >> LIMB_BITS);
    let c = c + (b >> LIMB_BITS);
    let d = d + (c >> LIMB_BITS);
    let e = e + (d >> LIMB_BITS);
    let is_above = Choice::from((e >> LIMB_BITS) as u8);
    let mut less = [a, b, c, d, e].map(|limb| limb & LIMB);
    less.iter_mut()
        .zip(number)
        .for_each(|(less, same)| *less = u64::conditional_select(&same, less, is_above));
    less
}
