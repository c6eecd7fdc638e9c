//! PBKDF1 (RFC 8018, section 5.1): the key derivation of PBES1, whose honest iteration counts are small.

use zeroize::Zeroizing;

use super::hash::Hash;
use crate::wire::{Malformed, Reader};

pub struct Pbkdf1 {
    hash: Hash,
    digest: Zeroizing<Vec<u8>>,
    left: u32,
    wanted: usize,
}

impl Pbkdf1 {
    /// Input: hash, iterations, wanted bytes (u32, at most one digest), password, salt.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let hash = Hash::from_number(reader.u8()?).ok_or(Malformed)?;
        let iterations = reader.u32()?.max(1);
        let wanted = usize::try_from(reader.u32()?).map_err(|_| Malformed)?;
        let digest = Zeroizing::new(hash.digest(&[reader.bytes()?, reader.bytes()?]));
        if wanted == 0 || wanted > digest.len() {
            return Err(Malformed);
        }
        Ok(Self {
            hash,
            digest,
            left: iterations - 1,
            wanted,
        })
    }

    /// Goes on for about as many iterations. Gives the key once it is complete.
    pub fn advance(&mut self, iterations: u32) -> Option<&[u8]> {
        let times = iterations.min(self.left);
        self.hash.iterate(&mut self.digest, times);
        self.left -= times;
        if self.left > 0 {
            return None;
        }
        self.digest.get(..self.wanted)
    }
}
