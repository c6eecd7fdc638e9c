use core::arch::wasm32::{
    i32x4_add, i32x4_shl, i32x4_shuffle, i64x2_shuffle, i8x16_shuffle, u32x4, u32x4_shr,
    u32x4_splat, u64x2, u64x2_extract_lane, v128, v128_and, v128_or, v128_xor,
};
use std::ops::{Add, BitAnd, BitXor};

use crate::piece::Piece;

#[derive(Clone, Copy)]
pub struct Lanes(v128);

impl Lanes {
    #[inline(always)]
    pub fn splat(word: u32) -> Self {
        Self(u32x4_splat(word))
    }

    #[inline(always)]
    pub fn counting() -> Self {
        Self(u32x4(0, 1, 2, 3))
    }

    /// Little-endian.
    #[inline(always)]
    pub fn load(piece: &Piece) -> Self {
        let both = u128::from_le_bytes(*piece);
        Self(u64x2(both as u64, (both >> 64) as u64))
    }

    #[inline(always)]
    pub fn store(self) -> Piece {
        let low = u64x2_extract_lane::<0>(self.0);
        let high = u64x2_extract_lane::<1>(self.0);
        (u128::from(low) | u128::from(high) << 64).to_le_bytes()
    }

    /// Each word to the left.
    #[inline(always)]
    pub fn rotated<const BITS: u32>(self) -> Self {
        let Self(it) = self;
        Self(match BITS {
            16 => i8x16_shuffle::<2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13>(it, it),
            _ => v128_or(i32x4_shl(it, BITS), u32x4_shr(it, 32 - BITS)),
        })
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(i32x4_add(self.0, other.0))
    }
}

impl BitXor for Lanes {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Self(v128_xor(self.0, other.0))
    }
}

impl BitAnd for Lanes {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(v128_and(self.0, other.0))
    }
}

/// Rows become columns.
#[inline(always)]
pub fn transpose([Lanes(a), Lanes(b), Lanes(c), Lanes(d)]: [Lanes; 4]) -> [Lanes; 4] {
    let (ab, cd) = (
        i32x4_shuffle::<0, 4, 1, 5>(a, b),
        i32x4_shuffle::<0, 4, 1, 5>(c, d),
    );
    let (ab_end, cd_end) = (
        i32x4_shuffle::<2, 6, 3, 7>(a, b),
        i32x4_shuffle::<2, 6, 3, 7>(c, d),
    );
    [
        Lanes(i64x2_shuffle::<0, 2>(ab, cd)),
        Lanes(i64x2_shuffle::<1, 3>(ab, cd)),
        Lanes(i64x2_shuffle::<0, 2>(ab_end, cd_end)),
        Lanes(i64x2_shuffle::<1, 3>(ab_end, cd_end)),
    ]
}
