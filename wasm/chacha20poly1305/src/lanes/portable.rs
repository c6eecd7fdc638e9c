use std::ops::{Add, BitAnd, BitXor};

use crate::piece::Piece;

#[derive(Clone, Copy)]
pub struct Lanes([u32; 4]);

impl Lanes {
    #[inline(always)]
    pub fn splat(word: u32) -> Self {
        Self([word; 4])
    }

    #[inline(always)]
    pub fn counting() -> Self {
        Self([0, 1, 2, 3])
    }

    /// Little-endian.
    #[inline(always)]
    pub fn load(piece: &Piece) -> Self {
        let both = u128::from_le_bytes(*piece);
        Self([0, 32, 64, 96].map(|bits| (both >> bits) as u32))
    }

    #[inline(always)]
    pub fn store(self) -> Piece {
        let [a, b, c, d] = self.0.map(u128::from);
        (a | b << 32 | c << 64 | d << 96).to_le_bytes()
    }

    /// Each word to the left.
    #[inline(always)]
    pub fn rotated<const BITS: u32>(self) -> Self {
        Self(self.0.map(|word| word.rotate_left(BITS)))
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([
            a.wrapping_add(e),
            b.wrapping_add(f),
            c.wrapping_add(g),
            d.wrapping_add(h),
        ])
    }
}

impl BitXor for Lanes {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a ^ e, b ^ f, c ^ g, d ^ h])
    }
}

impl BitAnd for Lanes {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a & e, b & f, c & g, d & h])
    }
}

/// Rows become columns.
#[inline(always)]
pub fn transpose([Lanes(a), Lanes(b), Lanes(c), Lanes(d)]: [Lanes; 4]) -> [Lanes; 4] {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a, b);
    let ([c0, c1, c2, c3], [d0, d1, d2, d3]) = (c, d);
    [
        Lanes([a0, b0, c0, d0]),
        Lanes([a1, b1, c1, d1]),
        Lanes([a2, b2, c2, d2]),
        Lanes([a3, b3, c3, d3]),
    ]
}
