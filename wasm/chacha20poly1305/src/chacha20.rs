//! ChaCha20 (RFC 8439 section 2.3), four blocks at a time: each lane of a vector belongs to one of them.

use std::ops::{Add, BitXor};

use zeroize::{DefaultIsZeroes, Zeroizing};

use crate::lanes::{transpose, Lanes, LANES};
use crate::piece::{KEY_BYTES, NONCE_BYTES, PIECE_BYTES};
use crate::poly1305::Poly1305;

pub const BLOCK_BYTES: usize = 64;
pub const BLOCK_PIECES: usize = BLOCK_BYTES / PIECE_BYTES;
pub const BATCH_BYTES: usize = LANES * BLOCK_BYTES;

/// Block after block, four vectors each.
pub type Keystream = [Lanes; BATCH_BYTES / PIECE_BYTES];

/// "expand 32-byte k"
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The state of the next four blocks.
pub struct ChaCha20(Zeroizing<[Row; 4]>);

impl ChaCha20 {
    /// The counter begins with 0.
    pub fn new(key: &[u8; KEY_BYTES], nonce: &[u8; NONCE_BYTES]) -> Self {
        let word = |bytes: &[u8], index: usize| {
            let word = bytes.get(4 * index..).and_then(<[u8]>::first_chunk);
            Lanes::splat(u32::from_le_bytes(word.copied().unwrap_or_default()))
        };
        Self(Zeroizing::new([
            Row(CONSTANTS.map(Lanes::splat)),
            Row([0, 1, 2, 3].map(|index| word(key, index))),
            Row([4, 5, 6, 7].map(|index| word(key, index))),
            Row([
                Lanes::counting(),
                word(nonce, 0),
                word(nonce, 1),
                word(nonce, 2),
            ]),
        ]))
    }

    /// Gives the next four blocks. Poly1305 takes whole pieces of `beside`, at most 20, between the rounds.
    #[inline(always)]
    pub fn next(&mut self, mac: &mut Poly1305, beside: &[u8]) -> Keystream {
        let mut pieces = beside.chunks_exact(PIECE_BYTES);
        let [a, b, c, d] = *self.0;
        let mut rows = [a, b, c, d];
        for _ in 0..10 {
            let [a, b, c, d] = quarter_rounds(rows);
            if let Some(piece) = pieces.next().and_then(<[u8]>::first_chunk) {
                mac.absorb_piece(piece);
            }
            let [a, b, c, d] =
                quarter_rounds([a, b.turned(), c.turned().turned(), d.turned_back()]);
            if let Some(piece) = pieces.next().and_then(<[u8]>::first_chunk) {
                mac.absorb_piece(piece);
            }
            rows = [a, b.turned_back(), c.turned().turned(), d.turned()];
        }
        let [e, f, g, h] = rows;
        let [e0, e1, e2, e3] = transpose((a + e).0);
        let [f0, f1, f2, f3] = transpose((b + f).0);
        let [g0, g1, g2, g3] = transpose((c + g).0);
        let [h0, h1, h2, h3] = transpose((d + h).0);
        let [_, _, _, Row([counter, ..])] = &mut *self.0;
        *counter = *counter + Lanes::splat(LANES as u32);
        [
            e0, f0, g0, h0, e1, f1, g1, h1, e2, f2, g2, h2, e3, f3, g3, h3,
        ]
    }

    /// The same into memory.
    #[inline(never)]
    pub fn fill(&mut self, keystream: &mut Keystream, mac: &mut Poly1305, beside: &[u8]) {
        *keystream = self.next(mac, beside);
    }
}

/// Four words of the state.
#[derive(Clone, Copy, Default)]
struct Row([Lanes; 4]);

impl DefaultIsZeroes for Row {}

/// All four columns.
#[inline(always)]
fn quarter_rounds([a, b, c, d]: [Row; 4]) -> [Row; 4] {
    let a = a + b;
    let d = (d ^ a).rotated::<16>();
    let c = c + d;
    let b = (b ^ c).rotated::<12>();
    let a = a + b;
    let d = (d ^ a).rotated::<8>();
    let c = c + d;
    let b = (b ^ c).rotated::<7>();
    [a, b, c, d]
}

impl Row {
    /// Each word rotated to the left.
    #[inline(always)]
    fn rotated<const BITS: u32>(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([
            a.rotated::<BITS>(),
            b.rotated::<BITS>(),
            c.rotated::<BITS>(),
            d.rotated::<BITS>(),
        ])
    }

    /// Begins with the second word. So diagonals become columns.
    #[inline(always)]
    fn turned(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([b, c, d, a])
    }

    /// Begins with the last word.
    #[inline(always)]
    fn turned_back(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([d, a, b, c])
    }
}

impl Add for Row {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a + e, b + f, c + g, d + h])
    }
}

impl BitXor for Row {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a ^ e, b ^ f, c ^ g, d ^ h])
    }
}
