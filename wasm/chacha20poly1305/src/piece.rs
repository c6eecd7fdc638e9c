//! Sizes, and what a vector holds and Poly1305 takes at once.

pub const KEY_BYTES: usize = 32;
pub const NONCE_BYTES: usize = 12;
pub const TAG_BYTES: usize = 16;

pub const PIECE_BYTES: usize = 16;
pub type Piece = [u8; PIECE_BYTES];

/// With zeros behind it.
pub fn padded(short: &[u8]) -> Piece {
    let mut piece = Piece::default();
    piece.iter_mut().zip(short).for_each(|(to, it)| *to = *it);
    piece
}
